"""The one plain sentence on a saga: what happened, or what it waits for, and why."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from otel_kit import names
from otel_kit.explorer.model import facts, spent, words
from otel_kit.explorer.model.ledger import Entry
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.stuck import Awaited
from otel_kit.explorer.model.usual import FINISH
from otel_kit.explorer.model.verdict import Verdict
from otel_kit.records import SpanRecord

_ENDED: Final = {
    "completed": "Completed",
    "compensated": "Compensated",
    "partially_compensated": "Only partly compensated",
    "failed": "Failed",
}
_BREAKER_OPEN: Final = "breaker_open"


def explain(story: Story, verdict: Verdict) -> str:
    """One sentence, with a full stop."""
    if not story.spans and not verdict.steps:
        return "Nothing of this saga is stored but its id."
    clauses = [_beginning(story, verdict), *_because(story, verdict), *_undone(verdict)]
    clauses += _lateness(story, verdict)
    clauses += _remarks(story, verdict)
    return "; ".join(clause for clause in clauses if clause) + "."


def _beginning(story: Story, verdict: Verdict) -> str:
    if verdict.state in _ENDED:
        return f"{_ENDED[verdict.state]} after {words.duration(story.duration_ns / 1e9)}"
    if verdict.awaited is None:
        return verdict.state.capitalize()
    waiting = _waiting(story, verdict.awaited)
    if verdict.state == "compensating":
        return "Being compensated, " + waiting[0].lower() + waiting[1:]
    return waiting


def _waiting(story: Story, awaited: Awaited) -> str:
    """``Waiting 4 m 10 s for `charge-payment` in billing``, and what is usual."""
    time = words.duration(awaited.waited_s)
    kind = story.saga.name or "sagas of this kind"
    sentence = f"Waiting {time} for {_what(awaited)}"
    if awaited.usual is not None:
        usual = words.duration(awaited.usual.p99_s)
        sentence += f"; 99 % of `{kind}` sagas pass this within {usual}"
    return "; ".join([sentence, *(reason.clause for reason in awaited.reasons)])


def _what(awaited: Awaited) -> str:
    where = f" in {awaited.service}" if awaited.service else ""
    if awaited.kind == "step":
        return f"`{awaited.name}`{where} to end"
    if awaited.kind == "message":
        who = awaited.service or "a consumer"
        return f"{who} to take a message from `{awaited.name}`"
    return "its end" if awaited.name == FINISH else f"`{awaited.name}`{where} to begin"


# -- why it ended so -------------------------------------------------------------------------------


def _because(story: Story, verdict: Verdict) -> Iterator[str]:
    if verdict.state == "completed":
        return
    broken = [step for step in verdict.steps if step.kind == "action" and step.error]
    if broken:
        yield _failure(story, max(broken, key=lambda step: step.started_ns), verdict)
    if verdict.awaited is None:  # else they are among the reasons
        yield from _dead_letters(story, {step.service for step in verdict.steps if step.error})


def _failure(story: Story, step: Step, verdict: Verdict) -> str:
    """``charge-payment failed in billing after 5 attempts: connection, “refused” (…)``."""
    clause = f"`{step.name}` failed in {step.service}"
    if step.attempts > 1:
        clause += f" after {step.attempts} attempts"
    clause += f": {_class_words(step.error)}"
    if step.reason:
        clause += f", “{step.reason}”"
    if calls := list(_failed_calls(story, step)):
        clause += f" ({words.listed(calls)})"
    if is_open := list(_open_breakers(story, step.service, verdict)):
        clause += f"; the breaker {words.listed(is_open)} is open"
    return clause


def _open_breakers(story: Story, service: str, verdict: Verdict) -> Iterator[str]:
    """Those that have been open since the saga; what opened later has nothing to do with it."""
    for breaker in verdict.around.breakers or ():
        opened_ns = (breaker.since_s or 0) * 1e9
        if breaker.service == service and breaker.state == "open" and opened_ns <= story.ended_ns:
            yield f"`{breaker.name}`"


def _class_words(error_class: str) -> str:
    if error_class == _BREAKER_OPEN:
        return "a circuit breaker refused the call"
    return error_class.replace("_", " ") + ("" if error_class.endswith("error") else " error")


def _failed_calls(story: Story, step: Step) -> Iterator[str]:
    """How often each other service failed the step, and why."""
    seen: Counter[tuple[str, str]] = Counter()
    for root in step.spans:
        for key in story.subtree(root):
            span = story.spans[key]
            found = facts.error_class(span)
            if span.kind == "client" and found:
                seen[f"{span.service} → {facts.peer(span) or names.UNKNOWN}", found] += 1
            elif found == _BREAKER_OPEN != step.error and not story.children.get(key):
                seen["calls refused by the breaker", ""] += 1
    for (edge, found), number in seen.most_common(3):
        yield f"{edge}{f' {found}' if found else ''} × {number}"


def _dead_letters(story: Story, told: set[str]) -> Iterator[str]:
    """Where no failed step of the service, of which there is a clause, was the reason."""
    for span in story.spans.values():
        said = facts.text(span.attributes, names.SPAN_DEAD_LETTER)
        if said and span.service not in told:
            queue = facts.destination(span) or span.name
            yield f"{span.service} put a message of `{queue}` aside as a dead letter ({said})"
            return


def _undone(verdict: Verdict) -> Iterator[str]:
    lines = [entry for entry in verdict.ledger.entries if entry.action or entry.compensation]
    undone = [_name(entry) for entry in lines if entry.result == "compensated"]
    if undone:
        yield f"{words.listed(undone)} {'was' if len(undone) == 1 else 'were'} undone"
    for entry in lines:
        if entry.result == "compensation_failed" and entry.compensation is not None:
            step = entry.compensation
            attempts = words.count(step.attempts, "attempt")
            why = f", “{step.reason}”" if step.reason else ""
            yield (
                f"undoing {_name(entry)} failed in {step.service} after {attempts}:"
                f" {_class_words(step.error)}{why}"
            )
        elif entry.result == "missing":
            yield f"nothing undid {_name(entry)}"


def _name(entry: Entry) -> str:
    if entry.action is not None:
        return f"`{entry.action.name}`"
    step = entry.compensation
    return f"`{step.compensates or step.name}`" if step is not None else ""


# -- how long, and what else -----------------------------------------------------------------------


def _lateness(story: Story, verdict: Verdict) -> Iterator[str]:
    total = verdict.usual.total if verdict.usual else None
    took = story.duration_ns / 1e9
    if verdict.awaited is not None or total is None:
        return
    if took <= total.p99_s:
        yield "no longer than usual"
        return
    yield f"late: 99 % take at most {words.duration(total.p99_s)}; {_most(verdict)}"


def _most(verdict: Verdict) -> str:
    edge, took = next(iter(verdict.path.by_edge.items()))
    return f"{words.duration(took / 1e9)} went into {spent.into(*edge)}"


def _remarks(story: Story, verdict: Verdict) -> Iterator[str]:
    if verdict.awaited is None:  # else they are among the reasons
        yield from (gap.sentence for gap in story.gaps if gap.kind == "lost_context")
    yield from _lost_around(story, verdict)
    duplicates = sum(bool(s.attributes.get(names.SPAN_DUPLICATE)) for s in story.spans.values())
    if duplicates:
        verb = "was" if duplicates == 1 else "were"
        yield f"{words.count(duplicates, 'duplicate message')} {verb} skipped"
    if any(step.open for step in verdict.steps) and verdict.awaited is None:
        begun = [f"`{step.name}`" for step in verdict.steps if step.open]
        yield f"{words.listed(begun)} began and never ended"


def _lost_around(story: Story, verdict: Verdict) -> Iterator[str]:
    """Calls of this saga that nobody answered in sight, on hops known to lose their context."""
    answered = story.answered()
    unanswered = [
        span for key, span in story.spans.items() if span.kind == "client" and key not in answered
    ]
    for row in verdict.around.propagation or ():
        if row.lost and any(_may_be(span, row.client, row.server) for span in unanswered):
            share = f"{row.lost} of {sum(row.results.values())}"
            cause = f": {row.likely_cause}" if row.likely_cause else ""
            yield f"hops from {row.client} to {row.server} lose their context ({share}){cause}"


def _may_be(call: SpanRecord, client: str, server: str) -> bool:
    """Whether it went there; a server whose reply lost its headers is known by address alone."""
    address = facts.text(call.attributes, names.SERVER_ADDRESS)
    peer = facts.peer(call)
    by_address = bool(address) and peer.partition(":")[0] == address
    return call.service == client and (peer == server or by_address)
