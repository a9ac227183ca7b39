"""One way in, whatever the transport: decode, store, and answer when it is on disk."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_kit.embedded.config import DECODED_AT_ONCE, PENDING_BYTES
from otel_kit.embedded.decode import index_logs, index_traces
from otel_kit.embedded.decode_json import parse_json
from otel_kit.embedded.inflate import inflate
from otel_kit.embedded.metrics.decode import decode_points
from otel_kit.embedded.problems import Unavailable
from otel_kit.embedded.store import Store

_DECODE_TIMEOUT_S: Final = 30.0
_COMMIT_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Signal:
    """One of OTLP's three: where it comes in and how it is decoded."""

    path: str
    service: str
    request: type[Message]
    response: type[Message]
    rejected_field: str
    decode: Callable[[bytes], Any]


_COLLECTOR: Final = "opentelemetry.proto.collector"
SIGNALS: Final = (
    Signal(
        "/v1/traces",
        f"{_COLLECTOR}.trace.v1.TraceService",
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
        "rejected_spans",
        index_traces,
    ),
    Signal(
        "/v1/metrics",
        f"{_COLLECTOR}.metrics.v1.MetricsService",
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
        "rejected_data_points",
        decode_points,
    ),
    Signal(
        "/v1/logs",
        f"{_COLLECTOR}.logs.v1.LogsService",
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
        "rejected_log_records",
        index_logs,
    ),
)


class Intake:
    """Accepts request bodies from any thread."""

    def __init__(self, store: Store, max_body: int) -> None:
        """`max_body` is in bytes, and holds for what a compressed body comes to."""
        self._store = store
        self._max_body = max_body
        self._decoders = threading.Semaphore(DECODED_AT_ONCE)
        self._lock = threading.Lock()
        self._pending_bytes = 0

    def accept(
        self, signal: Signal, body: bytes, encoding: str = "", is_json: bool = False
    ) -> Message:
        """Store a body and return OTLP's response once it is on disk.

        Raises Malformed, TooLarge, UnsupportedMedia or Unavailable; then nothing was stored.
        """
        with self._reserve(len(body)):
            with self._store.announced():
                batch = self._decode(signal, body, encoding, is_json)
                done = self._store.submit(batch)
            try:
                late = done.result(_COMMIT_TIMEOUT_S)
            except FutureTimeout:
                raise Unavailable("the disk is too slow; try again later") from None
        batch.rejected.add(late.reason, late.count)
        return _response(signal, batch.rejected.count, batch.rejected.reason)

    def _decode(self, signal: Signal, body: bytes, encoding: str, is_json: bool) -> Any:
        """The signal's batch; what it takes in memory until then is gone afterwards."""
        if not self._decoders.acquire(timeout=_DECODE_TIMEOUT_S):
            raise Unavailable("too much is waiting to be decoded; try again later")
        try:
            self._store.answering.give_way()
            plain = inflate(body, encoding, self._max_body)
            if is_json:
                plain = parse_json(signal.request, plain).SerializeToString()
            return signal.decode(plain)
        finally:
            self._decoders.release()

    @contextlib.contextmanager
    def _reserve(self, size: int) -> Iterator[None]:
        with self._lock:
            if self._pending_bytes and self._pending_bytes + size > PENDING_BYTES:
                raise Unavailable("too much is waiting to be written; try again later")
            self._pending_bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._pending_bytes -= size


def _response(signal: Signal, rejected: int, reason: str) -> Message:
    if not rejected:
        return signal.response()
    partial = {signal.rejected_field: rejected, "error_message": reason}
    return signal.response(partial_success=partial)
