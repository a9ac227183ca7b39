"""What holds for a saga of any shape: parallel, broken, circular, skewed, or nonsense."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.explorer.model import bundle, compare
from otel_kit.explorer.model.critical_path import critical_path
from otel_kit.explorer.model.explain import explain
from otel_kit.explorer.model.ledger import ledger
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.segments import segments
from otel_kit.explorer.model.sequence import sequence
from otel_kit.explorer.model.service_map import path_over
from otel_kit.explorer.model.state import STATES
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.summary import summarise
from otel_kit.explorer.model.usual import learn
from otel_kit.explorer.model.verdict import judge
from otel_kit.records import SagaDetail
from tests.explorer.building import at
from tests.explorer.shapes import sagas

NOW = at(1_000)
any_saga = given(sagas(), st.booleans())
often = settings(max_examples=100, deadline=None)


@often
@any_saga
def test_every_span_stands_in_the_forest_once(detail: SagaDetail, correct: bool) -> None:
    """Whatever the ids say, all spans are reached from the roots, each once."""
    story = stitch(detail, correct_skew=correct)
    reached = [key for root in story.roots for key in story.subtree(root)]

    assert sorted(reached) == sorted(story.spans)
    assert {(s.trace_id, s.span_id) for t in detail.traces for s in t.spans} == set(story.spans)
    assert {joint.trace_id for joint in story.joints} == {trace.trace_id for trace in detail.traces}


@often
@any_saga
def test_the_path_is_contiguous_and_adds_up(detail: SagaDetail, correct: bool) -> None:
    """From start to end without hole or overlap, of spans that exist."""
    story = stitch(detail, correct_skew=correct)
    path = critical_path(story)
    edges = [story.started_ns, *(piece.ended_ns for piece in path.pieces)]

    if story.spans:
        assert [piece.started_ns for piece in path.pieces] == edges[:-1]
        assert edges[-1] == story.ended_ns
    assert all(piece.span in story.spans for piece in path.pieces)
    assert all(piece.started_ns < piece.ended_ns for piece in path.pieces)
    assert sum(path.by_label.values()) == story.duration_ns or not story.spans
    assert sum(path.by_edge.values()) == sum(path.by_label.values())


@often
@any_saga
def test_the_order_of_delivery_changes_nothing(detail: SagaDetail, correct: bool) -> None:
    """A saga that arrives in another order is the same saga; ids are unique here."""
    unique = {(s.trace_id, s.span_id): s for t in detail.traces for s in t.spans}
    forwards = [type(t)(t.trace_id, [unique[s.trace_id, s.span_id] for s in t.spans])
                for t in detail.traces]  # fmt: skip
    backwards = [type(t)(t.trace_id, list(reversed(t.spans))) for t in reversed(forwards)]
    one = stitch(SagaDetail(detail.saga, forwards, detail.logs), correct_skew=correct)
    other = stitch(SagaDetail(detail.saga, backwards, detail.logs), correct_skew=correct)

    assert one.spans == other.spans
    assert critical_path(one) == critical_path(other)


@often
@any_saga
def test_skew_is_corrected_unless_the_clocks_contradict_each_other(
    detail: SagaDetail, correct: bool
) -> None:
    """After correction no pair of services is worse off than before in total count."""
    before, after = stitch(detail), stitch(detail, correct_skew=True)

    assert set(before.spans) == set(after.spans)
    for key, span in after.spans.items():
        moved = span.started_ns - before.spans[key].started_ns
        assert moved == span.ended_ns - before.spans[key].ended_ns
        assert moved >= 0


@often
@any_saga
def test_all_that_is_concluded_can_be_concluded(detail: SagaDetail, correct: bool) -> None:
    """No shape of a saga stops the page from being drawn."""
    story = stitch(detail, correct_skew=correct)
    verdict = judge(story, NOW, learn([story]), Surroundings((), (), (), ()))

    assert verdict.state in STATES
    assert explain(story, verdict).endswith(".")
    bars = segments(story, verdict.steps, NOW)
    assert all(bar.started_ns <= bar.ended_ns for bar in bars)
    assert {bar.span for bar in bars} - {None} <= set(story.spans)
    diagram = sequence(story, verdict.steps)
    assert {m.sender for m in diagram.messages} <= set(diagram.participants)
    assert all(passage.times > 0 for passage in path_over(story))
    assert summarise("order-1", detail.traces, detail.logs, NOW).id == "order-1"


@often
@any_saga
def test_the_ledger_has_every_step_once(detail: SagaDetail, correct: bool) -> None:
    """Actions and compensations are paired, none lost and none used twice."""
    found = steps(stitch(detail, correct_skew=correct))
    entries = ledger(found, "failed").entries
    paired = [step for entry in entries for step in (entry.action, entry.compensation) if step]

    assert sorted(map(id, paired)) == sorted(map(id, found))
    for entry in entries:
        if entry.action and entry.compensation:
            assert entry.compensation.compensates == entry.action.name


@often
@any_saga
def test_a_saga_compared_with_itself_is_alike(detail: SagaDetail, correct: bool) -> None:
    """Also with the median of copies of itself."""
    story = stitch(detail, correct_skew=correct)
    mine = compare.profile(story)

    assert {d.change for d in compare.compare(mine, mine)} <= {"alike"}
    assert compare.healthy([story, story]) == mine


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_that_are_no_bundle_are_refused(data: bytes) -> None:
    """Reading a file never fails in any other way."""
    with pytest.raises(bundle.MalformedBundle, match=r"JSON|not a saga bundle"):
        bundle.read(data)
