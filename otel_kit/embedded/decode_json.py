"""OTLP/JSON to the same messages that protobuf gives.

OTLP's JSON is protobuf's with two differences (OTLP 1.x, "JSON Protobuf Encoding"): trace and
span ids are hexadecimal rather than base64, and unknown fields are ignored.
"""

import base64
import binascii
import json
from typing import Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from otel_kit.embedded.config import MAX_ELEMENTS
from otel_kit.embedded.problems import Malformed, TooLarge

M = TypeVar("M", bound=Message)

_ID_KEYS: Final = frozenset(
    {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
)
_BAD_INPUT: Final = (
    json_format.ParseError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What `json_format` is known to raise for JSON of a wrong shape, besides its own ParseError."""


def parse_json(kind: type[M], body: bytes) -> M:
    """The request in `body`; raises Malformed or TooLarge."""
    if sum(body.count(mark) for mark in (b"{", b"[", b",")) > MAX_ELEMENTS:
        raise TooLarge(f"the body holds over {MAX_ELEMENTS} values; send smaller batches")
    try:
        document = json.loads(body, parse_constant=_no_constant)
        if not isinstance(document, dict):
            raise Malformed("the body must be a JSON object")
        _ids_to_base64(document)
        return json_format.ParseDict(document, kind(), ignore_unknown_fields=True)
    except _BAD_INPUT as error:
        reason = str(error)[:500]
        raise Malformed(f"the body is not OTLP/JSON of {kind.__name__}: {reason}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; write it as a string")


def _ids_to_base64(node: Any) -> None:
    """Attribute keys never stand as JSON keys in OTLP, so a key by this name is always an id."""
    if isinstance(node, list):
        for item in node:
            _ids_to_base64(item)
    elif isinstance(node, dict):
        for key, item in node.items():
            if key in _ID_KEYS and isinstance(item, str):
                node[key] = _hex_to_base64(key, item)
            else:
                _ids_to_base64(item)


def _hex_to_base64(key: str, item: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(item)).decode()
    except binascii.Error as error:
        raise Malformed(f"{key} is not hexadecimal: {item[:64]!r}") from error
