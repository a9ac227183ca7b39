"""OpenTelemetry's span exporters with the kit's encoder in the place of theirs.

Endpoints, headers, certificates, compression, limits and the exporter's own metrics stay with the
exporter.  One that does not encode as is known here is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_kit._providers.otlp_encoding import SpanEncoder

_ENCODE: Final = "encode_spans"
_SERIALIZE: Final = frozenset({"SerializeToString", "SerializePartialToString"})


class Request:
    """Stands for an `ExportTraceServiceRequest`, already encoded."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The bytes."""
        return self._encoded

    SerializePartialToString = SerializeToString


def encoding_directly(exporter: Any) -> Any:
    """A subclass whose `export` is that of the class, only that `encode_spans` is the kit's."""
    export = getattr(exporter, "export", None)
    if not isinstance(export, FunctionType) or not _known(export):
        return exporter
    encoder = SpanEncoder()

    def encode(spans: Sequence[ReadableSpan]) -> Request:
        return Request(encoder.encode(spans))

    ours = FunctionType(
        export.__code__,
        {**export.__globals__, _ENCODE: encode},
        export.__name__,
        export.__defaults__,
        export.__closure__,
    )
    ours.__kwdefaults__ = export.__kwdefaults__
    return type(exporter.__name__, (exporter,), {"export": ours, "__module__": exporter.__module__})


def _known(export: FunctionType) -> bool:
    """Whether it serialises at once what the module's `encode_spans` makes of a batch."""
    used = set(export.__code__.co_names)
    return _ENCODE in export.__globals__ and _ENCODE in used and bool(_SERIALIZE & used)
