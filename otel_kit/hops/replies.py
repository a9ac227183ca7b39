"""`Server-Timing: otelkit;desc="<service>";dur=<ms>`: who answered, and how long it took there.

Sent (as an HTTP header, or gRPC trailing metadata) only to a caller that said hello by our
`tracestate` member.  The header is W3C Server Timing's; browsers show it in their network panel.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from otel_kit.hops.wire import decode_name, encode_name
from otel_kit.names import SERVER_TIMING

_ENTRY = re.compile(r'(?:^|,)\s*otelkit;desc="([^"\\]{1,400})";dur=([0-9]{1,12}(?:\.[0-9]{1,6})?)')
_HEADER_LENGTH = 2048


class Reply(NamedTuple):
    """What a server said of itself."""

    service: str
    seconds: float


def write(service: str, seconds: float) -> str:
    """The header's value; `seconds` since the request arrived."""
    return f'otelkit;desc="{encode_name(service)}";dur={seconds * 1000:.3f}'


def answers(carrier: Mapping[str, str] | None) -> bool:
    """Whether a message is an answer that says who gave it: part of a round trip, no hop."""
    return carrier is not None and read(carrier.get(SERVER_TIMING)) is not None


def read(header: str | None) -> Reply | None:
    """What the header says, None where our entry is absent or malformed."""
    match = _ENTRY.search(header[:_HEADER_LENGTH]) if header else None
    if match is None:
        return None
    service = decode_name(match[1])
    return Reply(service, float(match[2]) / 1000) if service else None
