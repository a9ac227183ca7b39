"""A saga's file as a source: it tells what the collector told when it was saved."""

import time

import pytest

from otel_kit.explorer.model import bundle, usual_json
from otel_kit.explorer.model.bundle import Bundle
from otel_kit.explorer.model.explain import explain
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.usual import Usual, learn
from otel_kit.explorer.model.verdict import Verdict, judge
from otel_kit.explorer.source import (
    BundleSource,
    CannotOpen,
    EmbeddedSource,
    NotKnown,
    Rows,
    SagaSearch,
    Source,
)
from otel_kit.records import SagaDetail, StateCount
from tests.embedded import build
from tests.embedded.running import collector
from tests.explorer.building import Made, at, order
from tests.explorer.feeding import feed, figures


def _waiting() -> Made:
    """An order whose payment has been under way for two minutes."""
    made = Made("order-9")
    root = made.span("POST /orders", 0, 30, "web", "server")
    made.message("billing.commands", 10, 15, 18, ("web", "billing"), root)
    made.started("charge-payment", 17, "billing")
    return made


def _compensated() -> Made:
    made = Made("order-8")
    root = made.span("POST /orders", 0, 100, "web", "server")
    made.step("reserve-inventory", 5, 20, "inventory", under=root)
    made.step("charge-payment", 30, 60, "billing", under=root, error="timeout")
    made.finish(made.undo("reserve-inventory", 65, 90, "inventory", under=root), "compensated")
    return made


def _surroundings(source: Source) -> Surroundings:
    answers = (source.edges(), source.queues(), source.breakers(), source.propagation())
    return Surroundings(*(list(each.rows) if isinstance(each, Rows) else None for each in answers))


def _judged(source: Source, saga_id: str, now_ns: int, usual: Usual) -> tuple[SagaDetail, Verdict]:
    detail = source.saga(saga_id)
    assert detail is not None
    return detail, judge(stitch(detail, correct_skew=True), now_ns, usual, _surroundings(source))


@pytest.mark.parametrize("made", [_waiting(), _compensated(), order("order-7")])
def test_a_file_tells_the_same_as_the_collector_did(made: Made) -> None:
    """State, sentence, critical path, ledger, what is awaited and the metrics survive the file."""
    with collector() as client:
        for number in range(3):
            feed(client, order(f"order-{number}"), seconds_ago=200)
        feed(client, made, seconds_ago=120)
        client.send(build.metrics(figures(1)))
        source, now = EmbeddedSource(client.query_url), time.time_ns()
        usual = learn(stitch(each) for each in source.samples("order"))
        detail, before = _judged(source, made.saga_id, now, usual)
        source.close()
    sentence = explain(stitch(detail, correct_skew=True), before)

    file = bundle.write(Bundle(detail, before.around, before.state, sentence, now, usual))
    opened = BundleSource("order.json", file)
    assert opened.usual is not None
    again, after = _judged(opened, opened.saga_id, opened.as_of_ns, opened.usual)

    assert explain(stitch(again, correct_skew=True), after) == sentence
    assert (after.state, after.path, after.ledger) == (before.state, before.path, before.ledger)
    assert (after.steps, after.awaited) == (before.steps, before.awaited)
    assert after.usual == before.usual
    assert after.around == before.around


def _file(name: str = "order.json", window_s: float | None = 60.0) -> BundleSource:
    around = Surroundings(edges=(), queues=None)
    kept = Bundle(order().detail(), around, "completed", "Completed.", at(900), None, window_s)
    return BundleSource(name, bundle.write(kept))


def test_the_list_has_the_one_saga() -> None:
    """It is found, counted and filtered as in any source."""
    source = _file()
    [row] = source.find_sagas(SagaSearch(contains="der-")).rows
    assert row.id == source.saga_id == "order-1"
    assert source.find_sagas(SagaSearch(contains="x")).rows == ()
    counts = source.count_by_state(SagaSearch(states=("failed",)))
    assert isinstance(counts, Rows)
    assert StateCount(row.state, 1) in counts.rows
    assert sum(each.count for each in counts.rows) == 1
    assert source.saga("order-2") is None


def test_what_the_file_cannot_tell_is_not_known() -> None:
    """No rows are not the same as rows that nobody could tell; the window survives."""
    assert _file().edges() == Rows((), 60.0)
    assert isinstance(_file().queues(), NotKnown)


def test_files_of_one_name_are_told_apart() -> None:
    """The label names the file, when it was saved, and differs where the content does."""
    label = _file("mine.json").label
    assert label.startswith("file mine.json as of 2027-01-15 08:00:00 UTC")
    assert label != _file("mine.json", window_s=None).label


def test_a_file_that_is_no_saga_is_one_sentence() -> None:
    """The name of the file and the reason, for a reader."""
    with pytest.raises(CannotOpen, match=r"^x\.json cannot be opened: the file is not JSON\.$"):
        BundleSource("x.json", b"{")


@pytest.mark.parametrize("change", [{"durations": 5}, {"following": {"a": [{}]}}, {"sagas": "x"}])
def test_damaged_usual_times_are_refused(change: dict[str, object]) -> None:
    """What is usual is as untrusted as the rest of the file."""
    document = {**(usual_json.write(learn([order().story()])) or {}), **change}
    with pytest.raises((LookupError, TypeError, ValueError)):
        usual_json.read(document)
