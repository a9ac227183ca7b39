"""One line for a saga, from its traces and logs alone: for sources that keep no index of sagas."""

from collections.abc import Sequence

from otel_kit import names
from otel_kit.explorer.model import facts, state
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.story import Story
from otel_kit.records import LogRecord, SagaDetail, SagaRecord, TraceRecord
from otel_kit.step_rules import MAX_STEPS, failed_step, step_now


def summarise(
    saga_id: str,
    traces: Sequence[TraceRecord],
    logs: Sequence[LogRecord],
    now_ns: int,
    stuck_after_s: float = state.STUCK_AFTER_S,
) -> SagaRecord:
    """The saga's row, by the same rules as the embedded collector's index."""
    blank = SagaRecord(saga_id, "", "running", None, now_ns, 0.0, (), 0, ())
    story = stitch(SagaDetail(blank, traces, logs))
    found = steps(story)
    rows = tuple(step.row for step in found)
    finished = state.told(story) is not None
    started, active = _bounds(story, now_ns)
    return SagaRecord(
        id=saga_id,
        name=_name(story),
        state=state.state(story, found, now_ns, stuck_after_s),
        step=step_now(rows, finished),
        started_ns=started,
        duration_s=max(0, (active if finished else max(active, now_ns)) - started) / 1e9,
        services=sorted({span.service for span in story.spans.values()}),
        errors=sum(facts.failed(span) for span in story.spans.values()),
        trace_ids=[joint.trace_id for joint in story.joints],
        active_ns=active,
        retries=max(_retried_calls(story), sum(step.repeats for step in found)),
        steps=rows[-MAX_STEPS:],
        failed_step=failed_step(rows),
    )


def _bounds(story: Story, now_ns: int) -> tuple[int, int]:
    """The first that names the saga, else the first of all; the last of either."""
    named = [
        (span.started_ns, span.ended_ns)
        for span in story.spans.values()
        if facts.text(span.attributes, names.SAGA_ID) == story.saga.id
    ]
    named += [
        (log.time_ns, log.time_ns)
        for log in story.logs
        if facts.text(log.attributes, names.SAGA_ID) == story.saga.id
    ]
    if not named:
        return (story.started_ns, story.ended_ns) if story.spans else (now_ns, now_ns)
    ended = max(end for _, end in named)
    return min(start for start, _ in named), max(ended, story.ended_ns if story.spans else 0)


def _name(story: Story) -> str:
    attributes = [span.attributes for span in story.spans.values()]
    attributes += [log.attributes for log in story.logs]
    said = (
        facts.text(each, names.SAGA_NAME)
        for each in attributes
        if facts.text(each, names.SAGA_ID) == story.saga.id
    )
    return next((name for name in said if name), "")


def _retried_calls(story: Story) -> int:
    """Attempts beyond the first of the calls retried within the saga."""
    ours = (
        span
        for span in story.spans.values()
        if facts.text(span.attributes, names.SAGA_ID) == story.saga.id
    )
    return sum((facts.attempt(span) or 1) > 1 for span in ours)
