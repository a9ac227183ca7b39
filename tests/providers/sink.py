"""A collector for tests: takes OTLP over HTTP on a free port, decodes and remembers it.

Started as a server in this process, so that a test can ask what has arrived, wait for it, and
choose how the collector answers.
"""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb

WAIT = 20.0
"""Seconds after which a test gives up: only a guard against hanging."""

_REQUESTS: dict[str, type[Message]] = {
    "/v1/traces": trace_pb.ExportTraceServiceRequest,
    "/v1/metrics": metrics_pb.ExportMetricsServiceRequest,
    "/v1/logs": logs_pb.ExportLogsServiceRequest,
}


@dataclass
class Answer:
    """How the collector answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Sink:
    """What arrived, and how to answer it."""

    def __init__(self, port: int = 0) -> None:
        self._changed = threading.Condition()
        self._requests: list[tuple[str, Any]] = []
        self._headers: list[dict[str, str]] = []
        self.answers: dict[str, Answer] = {}
        """By path, e.g. ``/v1/traces``."""
        self._server = _server(self, port)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop; the port refuses connections from now on."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self.connections:
            with suppress(OSError):  # closed by its client
                connection.shutdown(socket.SHUT_RDWR)

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Called by the server for each request."""
        answer = self.answers.get(path, Answer())
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        message = _REQUESTS[path].FromString(body)
        with self._changed:
            self._headers.append(headers)
            if answer.status == 200:
                self._requests.append((path, message))
            self._changed.notify_all()
        return answer

    def requests(self, path: str) -> list[Any]:
        """The accepted requests, decoded."""
        with self._changed:
            return [message for each, message in self._requests if each == path]

    def headers(self) -> list[dict[str, str]]:
        """The headers of all requests, names in lower case."""
        with self._changed:
            return list(self._headers)

    def spans(self) -> list[Any]:
        """The spans that arrived."""
        return [
            span
            for request in self.requests("/v1/traces")
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def names(self) -> list[str]:
        """The names of the spans that arrived, sorted."""
        return sorted(span.name for span in self.spans())

    def logs(self) -> list[Any]:
        """The log records that arrived."""
        return [
            record
            for request in self.requests("/v1/logs")
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def points(self, name: str) -> list[tuple[dict[str, str], dict[str, str], float]]:
        """(resource, attributes, value) of each point of a sum that arrived, in order."""
        return [
            (_plain(resource.resource.attributes), _plain(point.attributes), point.as_int)
            for request in self.requests("/v1/metrics")
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.sum.data_points
        ]

    def resources(self) -> list[dict[str, str]]:
        """The resource of each batch of spans that arrived."""
        return [
            _plain(resource.resource.attributes)
            for request in self.requests("/v1/traces")
            for resource in request.resource_spans
        ]

    def wait_for(self, condition: Any) -> None:
        """Until the condition holds; it is asked again after each request."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT), "the sink waited in vain"


def _plain(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}


def _server(sink: Sink, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            sink.connections.append(self.request)

        def do_POST(self) -> None:
            body = self._chunks() if self.headers["transfer-encoding"] else self._whole()
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = sink.receive(self.path, headers, body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _whole(self) -> bytes:
            return self.rfile.read(int(self.headers["content-length"]))

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: Any) -> None: ...

    ThreadingHTTPServer.daemon_threads = True
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[int]:
    """A port that refuses connections, and that nobody else is given meanwhile."""
    with socket.socket() as holder:
        # Bound but not listening: connections are refused, the port stays ours.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
