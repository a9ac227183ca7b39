"""The row of a saga is the same by the collector's index and by the explorer's model."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.explorer.model.summary import summarise
from otel_kit.explorer.source import EmbeddedSource
from otel_kit.records import SagaRecord
from tests.embedded.running import collector
from tests.explorer.building import Made
from tests.explorer.feeding import feed

_steps = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b", "c"]),
        "start": st.integers(0, 9),
        "lasts": st.integers(0, 5),
        "undo": st.booleans(),
        "error": st.sampled_from(["", "timeout"]),
        "trace": st.integers(1, 3),
    }
)
_attempts = st.lists(st.integers(0, 4), max_size=5)


@st.composite
def _sagas(draw: st.DrawFn) -> Made:
    made = Made()
    for step in draw(st.lists(_steps, min_size=1, max_size=9)):
        _step(made, **step)
    for number in draw(_attempts):
        made.span("attempt", number, number + 1, otel_kit__retry__attempt=number)
    if draw(st.booleans()):
        made.started("last", draw(st.integers(0, 9)), "mail")
    if outcome := draw(st.sampled_from(["", "completed", "failed"])):
        made.finish(made.span("end", 12, 13), outcome)
    if draw(st.booleans()):
        late = made.span("not named", 5, draw(st.integers(6, 30)))
        made.spans[-1] = replace(late, attributes={})
    return made


def _step(
    made: Made, name: str, start: int, lasts: int, undo: bool, error: str, trace: int
) -> None:
    begin: Any = made.undo if undo else made.step
    begin(name, start, start + lasts, "orders", error=error, trace=trace)


def test_index_and_model_agree_on_any_row() -> None:
    """Steps with attempts, retries, state, times, traces: whatever was sent."""
    with collector() as client:
        source = EmbeddedSource(client.query_url)
        numbers = iter(range(10**9))

        @settings(max_examples=50, deadline=None)
        @given(_sagas())
        def agree(made: Made) -> None:
            renamed = _renamed(made, f"order {next(numbers)}")
            feed(client, renamed)
            detail = source.saga(renamed.saga_id)
            assert detail is not None
            now = detail.saga.active_ns + 10**9
            row = summarise(renamed.saga_id, detail.traces, detail.logs, now)
            assert _comparable(row) == _comparable(detail.saga)

        agree()
        source.close()


def _renamed(made: Made, saga_id: str) -> Made:
    """The same under an id of its own, in traces of its own."""
    found = Made(saga_id)
    traces = {made.trace_id(n): found.trace_id(n) for n in (1, 2, 3)}
    for span in made.spans:
        named = {**span.attributes, "saga.id": saga_id} if span.attributes else {}
        events = [replace(e, attributes={**e.attributes, "saga.id": saga_id}) for e in span.events]
        trace_id = traces[span.trace_id]
        found.spans.append(replace(span, trace_id=trace_id, attributes=named, events=events))
    for log in made.logs:
        named = {**log.attributes, "saga.id": saga_id}
        found.logs.append(replace(log, trace_id=traces[log.trace_id or ""], attributes=named))
    return found


def _comparable(row: SagaRecord) -> SagaRecord:
    """Without what depends on the moment of asking."""
    lasting = row.duration_s if row.state in ("completed", "failed") else 0.0
    return replace(row, duration_s=lasting)
