"""One line for a saga, from its traces and logs alone: for sources that keep no index of sagas."""

from collections.abc import Sequence

from otel_kit import names
from otel_kit.explorer.model import facts, state
from otel_kit.explorer.model.steps import Step, steps
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.story import Story
from otel_kit.records import LogRecord, SagaDetail, SagaRecord, TraceRecord


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
    finished = state.told(story) is not None
    started, active = _bounds(story, now_ns)
    return SagaRecord(
        id=saga_id,
        name=_name(story),
        state=state.state(story, found, now_ns, stuck_after_s),
        step=_step(found, finished),
        started_ns=started,
        duration_s=max(0, (active if finished else max(active, now_ns)) - started) / 1e9,
        services=sorted({span.service for span in story.spans.values()}),
        errors=sum(facts.failed(span) for span in story.spans.values()),
        trace_ids=[joint.trace_id for joint in story.joints],
        active_ns=active,
    )


def _bounds(story: Story, now_ns: int) -> tuple[int, int]:
    """First and last of the spans and records that name the saga, else of all."""
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
    return min(start for start, _ in named), max(end for _, end in named)


def _name(story: Story) -> str:
    attributes = [span.attributes for span in story.spans.values()]
    attributes += [log.attributes for log in story.logs]
    said = (
        facts.text(each, names.SAGA_NAME)
        for each in attributes
        if facts.text(each, names.SAGA_ID) == story.saga.id
    )
    return next((name for name in said if name), "")


def _step(found: Sequence[Step], finished: bool) -> str | None:
    """The latest step that is open, else the latest."""
    in_progress = [] if finished else [step for step in found if step.open]
    latest = max(in_progress or found, key=lambda step: step.started_ns, default=None)
    return None if latest is None else latest.name
