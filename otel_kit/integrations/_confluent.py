"""What librdkafka's clients do not say: when a message was delivered, and what a consumer knows.

Its objects are written in C.  They can neither be referred to weakly nor be given attributes, and
a consumer lets only one thread in at a time.  So nothing of it is held and nobody else calls it:
whatever is known of one was read in the application's own calls, and is kept by its address.
"""

import gc
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from otel_kit.gauges.backlog import Known
from otel_kit.gauges.consumers import Message, Offsets, Partition
from otel_kit.hops import ActiveHop
from otel_kit.integrations._kafka import BUSY, SYSTEM

_CLIENTS = 1000
_LOOK = 0.25
"""Seconds between two looks at all partitions of a consumer that gets messages."""
_OUT_OF_GROUP = 300.0
"""Seconds without a poll after which a consumer is no member of its group (librdkafka's
`max.poll.interval.ms`, unless configured otherwise), or was dropped without being closed."""
_NOT_YET = object()

DeliveryCallback = Callable[[KafkaError | None, Any], Any]


class Record(NamedTuple):
    """A message in the words of the other clients."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    headers: list[Any] | None
    delivery: object
    """The message's own string for its topic (of one character there is but one): nothing else is
    kept alive by that."""

    @classmethod
    def of(cls, message: Any) -> "Record":
        topic, (kind, timestamp) = message.topic(), message.timestamp()
        return cls(
            topic,
            message.partition(),
            message.offset(),
            timestamp if kind else 0,
            message.headers(),
            topic if len(topic) > 1 else message,
        )

    @property
    def at(self) -> Partition:
        return self.topic, self.partition

    @property
    def sent_at(self) -> float | None:
        return self.timestamp / 1000 if self.timestamp > 0 else None


# -- delivery -----------------------------------------------------------------------------------


class Report:
    """A message's delivery callback, in front of the application's own.

    A producer that is to report errors only drops the callback of what was delivered.
    """

    __slots__ = ("_hop", "_said", "_then")

    def __init__(self, then: DeliveryCallback | None) -> None:
        self._then = then
        self._hop: ActiveHop | None = None
        self._said: object = _NOT_YET

    def ends(self, hop: ActiveHop) -> None:
        """`hop` ends with the report, which another thread may have got already."""
        self._hop = hop
        if self._said is not _NOT_YET:
            self._end(hop)

    def __call__(self, error: KafkaError | None, message: Any) -> Any:
        self._said = error
        if self._hop is not None:
            self._end(self._hop)
        return None if self._then is None else self._then(error, message)

    def __del__(self) -> None:
        if self._hop is not None:
            self._hop.end()

    def _end(self, hop: ActiveHop) -> None:
        if isinstance(self._said, KafkaError):
            hop.status(self._said.code())
            hop.end(KafkaException(self._said))
        else:
            hop.end()


class _Made(NamedTuple):
    holds: frozenset[int]
    """Addresses of what the producer refers to: its callbacks."""
    report: int
    """That of the one for deliveries, 0 if it has none."""
    servers: str | None


class Producers:
    """The configuration of the producers that were made while the kit was at work."""

    def __init__(self) -> None:
        self._made: OrderedDict[int, _Made] = OrderedDict()

    def remember(self, producer: object, config: Mapping[str, Any]) -> None:
        report, servers = config.get("on_delivery"), config.get("bootstrap.servers")
        self._made[id(producer)] = _Made(
            frozenset(map(id, gc.get_referents(producer))),
            0 if report is None else id(report),
            servers,
        )
        if len(self._made) > _CLIENTS:
            self._made.popitem(last=False)

    def servers(self, producer: object) -> str | None:
        made = self._made.get(id(producer))
        return None if made is None else made.servers

    def report(self, producer: object, own: DeliveryCallback | None) -> Report | None:
        """What to give to a message whose own callback is `own`; None if that cannot be known.

        A message's callback stands in the place of the producer's, which is then called from here.
        """
        if own is not None:
            return Report(own)
        held = gc.get_referents(producer)
        made = self._made.get(id(producer))
        if made is None or made.holds != frozenset(map(id, held)):
            return None if held else Report(None)
        return Report(next((each for each in held if id(each) == made.report), None))


# -- lag ----------------------------------------------------------------------------------------


class Polled:
    """What a consumer knew when the application asked it last."""

    def __init__(self) -> None:
        self.group: str | None = None
        self.owner: Callable[[], Any] = lambda: None
        self.paused: set[Partition] = set()
        self.known: dict[Partition, Known] = {}
        self.polled_at = time.monotonic()
        self._looked_at = 0.0

    def owned(self, consumer: Any) -> bool:
        """Whether an `AIOConsumer` hands out its messages."""
        owner = self.owner()
        return owner is not None and owner._consumer is consumer

    def look(self, consumer: Any, latest: Sequence[Record]) -> None:
        """Read `consumer`, which has just handed out `latest`; takes some microseconds."""
        self.polled_at = now = time.monotonic()
        if now - self._looked_at >= _LOOK or any(each.at not in self.known for each in latest):
            self._looked_at = now
            self._look_at_all(consumer)
        for record in latest:
            self._note(record.at, record.offset + 1, consumer)

    def _look_at_all(self, consumer: Any) -> None:
        self.group = _group(consumer)
        partitions = consumer.position(consumer.assignment())
        assigned = {(each.topic, each.partition): each.offset for each in partitions}
        self.paused &= assigned.keys()
        self.known = {each: self.known[each] for each in assigned if each in self.known}
        for partition, position in assigned.items():
            if position >= 0:
                self._note(partition, position, consumer)

    def _note(self, partition: Partition, position: int, consumer: Any) -> None:
        _, end = consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        self.known[partition] = Known(position, max(end, position), True)


def _group(consumer: Any) -> str | None:
    """The group, from what a transaction is told of it: `CGMDv2:`, a generation, and the name."""
    told: bytes = consumer.consumer_group_metadata()
    if not told.startswith(b"CGMDv2:"):
        return None
    return told[11:].partition(b"\0")[0].decode() or None


class Polls:
    """The consumers that were polled and not closed."""

    def __init__(self) -> None:
        self._polled: dict[int, Polled] = {}

    def of(self, consumer: object) -> Polled:
        found = self._polled.get(id(consumer))
        if found is None:
            self._sweep()
            found = self._polled[id(consumer)] = Polled()
        return found

    def forget(self, consumer: object) -> None:
        self._polled.pop(id(consumer), None)

    def clear(self) -> None:
        self._polled.clear()

    def _sweep(self) -> None:
        oldest = time.monotonic() - _OUT_OF_GROUP
        for key, each in list(self._polled.items()):
            if each.polled_at < oldest:
                del self._polled[key]


class Lag:
    """What the gauges ask of it.  The broker is never asked: that would hold the application up."""

    system = SYSTEM

    def group(self, consumer: Polled) -> str | None:
        return consumer.group

    def partitions(self, consumer: Polled, away: float) -> Mapping[Partition, Known]:
        if away > _OUT_OF_GROUP:
            return {}
        paused = consumer.paused
        return {
            partition: known._replace(fresh=away < BUSY and partition not in paused)
            for partition, known in consumer.known.copy().items()
        }

    def handling(self, consumer: Polled) -> Iterable[Message]:
        return ()

    def ends(self, consumer: Polled, partitions: list[Partition]) -> Offsets:
        return {}
