"""How long a message lay in its queue, and how a call without an answer in sight splits."""

from dataclasses import dataclass

from otel_kit import names
from otel_kit.explorer.model import facts
from otel_kit.explorer.model.story import Story
from otel_kit.records import SpanRecord


@dataclass(frozen=True, slots=True)
class Dwell:
    """A message in its queue, nanoseconds; `sender` is None if its sending is not in the story."""

    sent_ns: int
    taken_ns: int
    sender: SpanRecord | None


def dwell(story: Story, consumer: SpanRecord) -> Dwell | None:
    """The wait of the message that a CONSUMER span handled, None if nothing tells it.

    The consumer's own measure counts where it has one; else from the end of sending.
    """
    sender = story.parent(facts.key(consumer))
    measured = facts.number(consumer, names.SPAN_QUEUE_DURATION)
    if sender is None and measured is None:
        return None
    if measured is not None:
        sent = consumer.started_ns - max(0, round(measured * 1e9))
    else:
        assert sender is not None
        sent = sender.ended_ns
    if sender is not None:
        sent = max(sent, sender.started_ns)
    return Dwell(min(sent, consumer.started_ns), consumer.started_ns, sender)


def server_time_ns(client: SpanRecord) -> int | None:
    """How long the server of a call says it took, within the call's own duration."""
    said = facts.number(client, names.SPAN_SERVER_DURATION)
    if said is None:
        return None
    return min(max(0, round(said * 1e9)), client.ended_ns - client.started_ns)
