"""What the Kafka clients share: the shape of a record and of a send, and the protocol's errors."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.gauges.consumers import Message
from otel_kit.hops import Hop, incoming, outgoing
from otel_kit.hops.carriers import Pairs
from otel_kit.hops.hop import Outcome
from otel_kit.hops.latest import Latest
from otel_kit.hops.messaging import CONVENTION
from otel_kit.integrations._shape import Call

SYSTEM = "kafka"
PATIENCE = 3.0
"""Seconds that a broker may take to say where a partition ends."""
BUSY = 2.0
"""Seconds without a fetch after which a consumer no longer knows it."""
_TOPICS = 1000
_RECORDS = 10_000
_BY_CODE = {
    7: ErrorClass.TIMEOUT,
    13: ErrorClass.CONNECTION,
    89: ErrorClass.THROTTLED,
    **dict.fromkeys((5, 6, 8, 9, 14, 15, 16, 19, 20, 41, 56, 72), ErrorClass.UNAVAILABLE),
    **dict.fromkeys(
        (10, 12, 17, 18, 29, 30, 31, 32, 36, 42, 44, 53, 54, 58), ErrorClass.CLIENT_ERROR
    ),
    **dict.fromkeys((2, 87), ErrorClass.SERIALIZATION),
}
"""Classes by the Kafka protocol's error code; the clients' exceptions carry it as `errno`."""
_BY_NAME = {
    "KafkaTimeoutError": ErrorClass.TIMEOUT,
    "KafkaConnectionError": ErrorClass.CONNECTION,
    "NodeNotReadyError": ErrorClass.CONNECTION,
    "NoBrokersAvailable": ErrorClass.CONNECTION,
    "KafkaUnavailableError": ErrorClass.CONNECTION,
    "Cancelled": ErrorClass.CANCELLED,
}


_LOCAL = {
    -144: ErrorClass.CLIENT_ERROR,
    -181: ErrorClass.TLS,
    -184: ErrorClass.THROTTLED,
    -193: ErrorClass.DNS,
    **dict.fromkeys((-166, -185, -192), ErrorClass.TIMEOUT),
    **dict.fromkeys((-187, -195), ErrorClass.CONNECTION),
    **dict.fromkeys((-151, -152, -197), ErrorClass.CANCELLED),
    **dict.fromkeys((-169, -186, -188, -190), ErrorClass.CLIENT_ERROR),
    **dict.fromkeys((-159, -160, -161, -162, -198, -199), ErrorClass.SERIALIZATION),
}
"""librdkafka's own errors, which are no answers of a broker's (`rd_kafka_resp_err_t`)."""


def _said(code: Any, kind: SpanKind) -> Outcome:
    return Outcome(error_class=_BY_CODE.get(code) or _LOCAL.get(code))


RDKAFKA = replace(CONVENTION, outcome=_said)
"""For a client that has one exception for all errors: the hop's status is the error's code."""


def error_classes(errors: ModuleType) -> dict[type[BaseException], ErrorClass]:
    """The classes of a client's exceptions; names differ from version to version."""
    found: dict[type[BaseException], ErrorClass] = {}
    for name, error_type in vars(errors).items():
        if isinstance(error_type, type) and issubclass(error_type, BaseException):
            code = getattr(error_type, "errno", None)
            known = _BY_NAME.get(name) or (_BY_CODE.get(code) if isinstance(code, int) else None)
            if known is not None:
                found[error_type] = known
    return found


class Groups:
    """The consumer group of a record, which does not say for which group it was fetched.

    The first group that reads a topic is remembered once, every other one record by record, and
    of these the latest: an older record is taken for one of the first group.
    """

    def __init__(self) -> None:
        self._first: dict[str, str | None] = {}
        self._others: Latest[tuple[str | None]] = Latest(_RECORDS)

    def remember(self, records: Iterable[Any], group: str | None) -> None:
        for record in records:
            topic = record.topic
            if topic not in self._first and len(self._first) < _TOPICS:
                self._first[topic] = group
            if self._first.get(topic, group) != group:
                self._others.put(_delivery(record), (group,))

    def of(self, record: Any) -> str | None:
        other = self._others.get(_delivery(record))
        return self._first.get(record.topic) if other is None else other[0]


def _delivery(record: Any) -> object:
    """A named tuple cannot be referred to weakly: its list of headers stands for it."""
    own, headers = getattr(record, "delivery", None), record.headers
    if own is None and isinstance(record, tuple) and isinstance(headers, list):
        own = headers
    return record if own is None else own


def send_hop(call: Call, bootstrap_servers: Any, accepted: Callable[[Any], bool]) -> Hop:
    """A send whose headers are replaced by a copy: the caller may send the same object again.

    `accepted` tells what the client takes for headers; anything else is left for it to refuse.
    """
    given = call["headers"]
    headers = list(given.items() if isinstance(given, dict) else given or ())
    if accepted(given):
        call["headers"] = headers
    return outgoing(SYSTEM, call["topic"], carrier=Pairs(headers), broker=_first(bootstrap_servers))


def record_hop(record: Any, group: str | None) -> Hop:
    return incoming(
        SYSTEM,
        record.topic,
        carrier=Pairs(list(record.headers or ())),
        sent_at=_seconds(record.timestamp),
        group=group,
        partition=record.partition,
        offset=record.offset,
        delivery=_delivery(record),
    )


def handled_up_to(offsets: Any) -> dict[Any, int] | None:
    """The offsets of a commit; None if the client commits all that it handed out."""
    if not offsets:
        return None
    # A named tuple or a plain one: the offset comes first.
    return {at: each if isinstance(each, int) else each[0] for at, each in offsets.items()}


def firsts(batch: Any) -> list[Message]:
    """The first message of each partition of a batch."""
    records = (each[0] for each in batch.values() if each)
    return [((r.topic, r.partition), r.offset, _seconds(r.timestamp)) for r in records]


def being_handled(hops: list[Hop]) -> Iterator[Message]:
    """The messages of these hops."""
    for hop in hops:
        partition = int(str(hop.attributes[names.MESSAGING_PARTITION]))
        offset = int(str(hop.attributes[names.MESSAGING_KAFKA_OFFSET]))
        yield (hop.destination, partition), offset, hop.sent_at


def _seconds(timestamp: int | None) -> float | None:
    return timestamp / 1000 if timestamp is not None and timestamp > 0 else None


def _first(servers: Any) -> str | None:
    """`host:port` of the first bootstrap server, whichever way the servers were given."""
    if isinstance(servers, str):
        return servers.split(",")[0].strip()
    return str(servers[0]) if servers else None
