"""What redis-py's channels and lists share: context in front of a message that has no headers."""

import sys
from typing import Any, Final

from otel_kit.hops import Hop, outgoing
from otel_kit.hops.around import sending
from otel_kit.hops.envelope import wrap
from otel_kit.hops.runtime import enveloped
from otel_kit.integrations._redis import SYSTEM, broker, text

_BETWEEN: Final = ("otel_kit", "redis", "wrapt")
_LIBRARIES: Final = ("celery", "kombu")


def enclosed(payload: Any, hop: Hop) -> Any:
    if isinstance(payload, (int, float)) and not isinstance(payload, bool):
        payload = repr(payload)  # as the library writes it
    written = isinstance(payload, (str, bytes, bytearray, memoryview))
    return wrap(payload, hop.carrier or {}) if written else payload


def opted(kind: str, destination: Any) -> bool:
    """Whether messages there are in envelopes by the user's word, which is for his own."""
    return enveloped(kind, text(destination)) and not _of_a_library()


def _of_a_library() -> bool:
    """Whether kombu or Celery makes the call: what they keep in Redis they read their own way."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package not in _BETWEEN:
            return package in _LIBRARIES
        frame = frame.f_back
    return False


def a_send(kind: str, destination: Any, client: Any) -> Hop | None:
    # Within another library's send it is that one's message.
    if sending() or not opted(kind, destination):
        return None
    return outgoing(SYSTEM, text(destination), carrier={}, broker=broker(client))
