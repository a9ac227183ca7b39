"""What the Kafka clients share: the shape of a record, and of a send."""

from typing import Any

from otel_kit.hops import Hop, incoming, outgoing
from otel_kit.hops.carriers import Pairs
from otel_kit.integrations._shape import Call

SYSTEM = "kafka"
_REMEMBERED = 1000


class Groups:
    """The consumer group by topic: a record does not say for which group it was fetched."""

    def __init__(self) -> None:
        self._by_topic: dict[str, str | None] = {}

    def remember(self, topic: str, group: str | None) -> str | None:
        if len(self._by_topic) < _REMEMBERED:
            self._by_topic[topic] = group
        return group

    def of(self, topic: str) -> str | None:
        return self._by_topic.get(topic)


def send_hop(call: Call, bootstrap_servers: Any, headers_of: tuple[type, ...]) -> Hop:
    """A send whose headers are replaced by a copy: the caller may send the same object again.

    `headers_of` are the types that the client accepts; anything else is left for it to refuse.
    """
    given = call["headers"]
    headers = list(given or ())
    if given is None or isinstance(given, headers_of):
        call["headers"] = headers
    return outgoing(SYSTEM, call["topic"], carrier=Pairs(headers), broker=_first(bootstrap_servers))


def record_hop(record: Any, group: str | None) -> Hop:
    timestamp = record.timestamp
    return incoming(
        SYSTEM,
        record.topic,
        carrier=Pairs(list(record.headers or ())),
        sent_at=timestamp / 1000 if timestamp is not None and timestamp > 0 else None,
        group=group,
        partition=record.partition,
        offset=record.offset,
    )


def _first(servers: Any) -> str | None:
    """`host:port` of the first bootstrap server, whichever way the servers were given."""
    if isinstance(servers, str):
        return servers.split(",")[0].strip()
    return str(servers[0]) if servers else None
