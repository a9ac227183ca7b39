"""The messages of a sequence diagram, in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from otel_kit import names
from otel_kit.explorer.model import facts, waits
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.model.story import Story
from otel_kit.records import SpanRecord

MessageKind = Literal["call", "reply", "message", "note"]


@dataclass(frozen=True, slots=True)
class Message:
    """One arrow, or a ``note`` at a participant: a step.

    `sent_ns` to `arrived_ns` is its way; `arrived_ns` is None for what nobody is seen to take.
    `lost`: it arrived without its context, or out of the blue; `undoing`: a compensation's note.
    """

    kind: MessageKind
    sender: str
    receiver: str
    text: str
    sent_ns: int
    arrived_ns: int | None
    span: SpanKey | None
    error: str = ""
    lost: bool = False
    undoing: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Participants by first appearance, and messages by time of sending."""

    participants: tuple[str, ...]
    messages: tuple[Message, ...]


def sequence(story: Story, found: Sequence[Step]) -> Diagram:
    """The diagram of a saga: calls with their replies, messages, and steps as notes."""
    messages = sorted(
        [*_hops(story), *map(_note, found)],
        key=lambda message: (message.sent_ns, _RANK[message.kind]),
    )
    ends = [end for message in messages for end in (message.sender, message.receiver)]
    return Diagram(tuple(dict.fromkeys(ends)), tuple(messages))


_RANK: dict[MessageKind, int] = {"reply": 3, "note": 2, "message": 1, "call": 0}


def _note(step: Step) -> Message:
    return Message(
        "note", step.service, step.service, step.name, step.started_ns, step.ended_ns,
        step.spans[-1] if step.spans else None, step.error, undoing=step.kind == "compensation",
    )  # fmt: skip


def _hops(story: Story) -> Iterator[Message]:
    answered = story.answered()
    lost = {gap.span: gap.sender for gap in story.gaps if gap.kind == "lost_context"}
    found_senders = set(lost.values())
    for key, span in story.spans.items():
        if span.kind == "server":
            yield from _call(span, _sender(story, span, lost), key in lost)
        elif span.kind == "consumer":
            yield _message(story, span, _sender(story, span, lost), key in lost)
        elif span.kind in facts.OUTBOUND and key not in answered and key not in found_senders:
            yield from _unanswered(span)


def _call(server: SpanRecord, call: SpanRecord | None, lost: bool) -> Iterator[Message]:
    client = (call.service if call else facts.peer(server)) or names.UNKNOWN
    sent = call.started_ns if call else server.started_ns
    back = call.ended_ns if call else server.ended_ns
    key, error = facts.key(server), facts.error_class(server)
    yield Message(
        "call", client, server.service, server.name, sent, server.started_ns, key, "", lost
    )
    text = error or "ok"
    yield Message("reply", server.service, client, text, server.ended_ns, back, key, error, lost)


def _message(story: Story, consumer: SpanRecord, sender: SpanRecord | None, lost: bool) -> Message:
    wait = waits.dwell(story, consumer)
    sent = wait.sent_ns if wait else sender.started_ns if sender else consumer.started_ns
    return Message(
        "message",
        (sender.service if sender else facts.peer(consumer)) or names.UNKNOWN,
        consumer.service,
        facts.destination(consumer) or consumer.name,
        sent,
        consumer.started_ns,
        facts.key(consumer),
        facts.error_class(consumer),
        lost,
    )


def _sender(
    story: Story, arrived: SpanRecord, lost: Mapping[SpanKey, SpanKey | None]
) -> SpanRecord | None:
    """The hop above, or the likely one of a hop that lost its context."""
    if (parent := story.parent(facts.key(arrived))) is not None:
        return parent
    likely = lost.get(facts.key(arrived))
    return None if likely is None else story.spans[likely]


def _unanswered(span: SpanRecord) -> Iterator[Message]:
    """A call is over, with or without its server in sight; a message lies where it was sent."""
    to = facts.peer(span) or facts.destination(span) or names.UNKNOWN
    key, error = facts.key(span), facts.error_class(span)
    if span.kind == "producer":
        text = facts.destination(span) or span.name
        yield Message("message", span.service, to, text, span.started_ns, None, key, error)
        return
    yield Message("call", span.service, to, span.name, span.started_ns, None, key, "")
    text = error or "ok"
    yield Message("reply", to, span.service, text, span.ended_ns, span.ended_ns, key, error)
