r"""Context in a message's own bytes, for transports whose messages have no headers.

An envelope is a head of ASCII lines, as HTTP writes headers, and then the payload as it was:

    otelkit/1\n
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n
    tracestate: otelkit=c:orders;p:b7ad6b7169203331;t:18a0c1d2e3f40516\n
    baggage: saga.id=42,saga.name=order\n
    \n
    {"order": 42}

The fields are W3C's and no others, each at most once, in this order, any of them absent.  A head
begins like no JSON text, and like no whole message of protobuf (its first byte would be of a wire
type that there is not), MessagePack (the number 111 alone), CBOR (a text of 15 bytes), gzip, zstd,
Avro, Thrift, BSON or pickle.

Whoever puts messages into envelopes has the receiver's word, or the operator's, that it takes them
out again: to anybody else the head is a part of the message.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar, overload

from otel_kit.hops.propagation import FIELDS

VERSION: Final = "1"
_MARK: Final = f"otelkit/{VERSION}\n"
_BYTES_MARK: Final = _MARK.encode()
_VALUE: Final = 4096
"""Characters of a value; a longer one is left out, as a reader would make nothing of it."""
_TEXT: Final = rf"[\t -~]{{1,{_VALUE}}}"
_VALID: Final = re.compile(_TEXT)
_HEAD: Final = re.compile(
    _MARK + "".join(rf"(?:{name}: (?P<{name}>{_TEXT})\n)?" for name in FIELDS) + "\n"
)
LONGEST: Final = len(_MARK) + sum(len(name) + 2 + _VALUE + 1 for name in FIELDS) + 1
"""Bytes that an envelope adds to a message at most."""

Received = TypeVar("Received")


@overload
def wrap(payload: str, carrier: Mapping[str, str]) -> str: ...
@overload
def wrap(payload: bytes | bytearray | memoryview, carrier: Mapping[str, str]) -> bytes: ...
def wrap(payload: str | bytes | bytearray | memoryview, carrier: Mapping[str, str]) -> str | bytes:
    """`payload` with the context that was injected into `carrier`; text stays text.

    Without any context it is the very payload, unless that could be taken for an envelope.
    """
    found = ((name, carrier.get(name)) for name in FIELDS)
    head = "".join(f"{name}: {text}\n" for name, text in found if text and _VALID.fullmatch(text))
    if isinstance(payload, str):
        return f"{_MARK}{head}\n{payload}" if head or payload.startswith(_MARK) else payload
    plain = bytes(payload)
    if head or plain.startswith(_BYTES_MARK):
        return b"".join((_BYTES_MARK, head.encode(), b"\n", plain))
    return plain


def unwrap(received: Received) -> tuple[Received, dict[str, str]]:
    """The payload, of the type that was received, and the context that came with it.

    Whatever `wrap` does not make is the payload itself, untouched.  Never raises.
    """
    if isinstance(received, str):
        start = received[:LONGEST] if received.startswith(_MARK) else ""
    elif isinstance(received, (bytes, bytearray)):
        start = str(received[:LONGEST], "latin-1") if received.startswith(_BYTES_MARK) else ""
    else:
        return received, {}
    head = _HEAD.match(start)
    if head is None:
        return received, {}
    carrier = {name: text for name, text in head.groupdict().items() if text is not None}
    if not carrier and not start.startswith(_MARK, head.end()):
        return received, {}  # `wrap` would have left it as it was
    whole: Any = received
    return whole[head.end() :], carrier
