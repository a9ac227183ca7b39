"""What redis-py's channels and lists share: context in front of a message that has no headers."""

from typing import Any

from otel_kit.hops import Hop, outgoing
from otel_kit.hops.active import sending
from otel_kit.hops.envelope import wrap
from otel_kit.hops.runtime import enveloped
from otel_kit.integrations._redis import SYSTEM, broker, text


def enclosed(payload: Any, hop: Hop) -> Any:
    if isinstance(payload, (int, float)) and not isinstance(payload, bool):
        payload = repr(payload)  # as the library writes it
    written = isinstance(payload, (str, bytes, bytearray, memoryview))
    return wrap(payload, hop.carrier or {}) if written else payload


def a_send(kind: str, destination: Any, client: Any) -> Hop | None:
    # Within another library's send it is that one's message: kombu keeps its queues in lists.
    if sending() or not enveloped(kind, text(destination)):
        return None
    return outgoing(SYSTEM, text(destination), carrier={}, broker=broker(client))
