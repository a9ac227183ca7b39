"""Collectors under test: one in this process, or `otel-kit up` as a real child process."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from google.protobuf.message import Message

from otel_kit.embedded import Embedded

PROTOBUF = {"content-type": "application/x-protobuf"}
_PATHS = {"ExportTraceServiceRequest": "traces", "ExportMetricsServiceRequest": "metrics"}


@dataclass
class Client:
    """Speaks to a running collector."""

    otlp_grpc_url: str
    otlp_http_url: str
    query_url: str

    def __post_init__(self) -> None:
        self.http = httpx.Client(timeout=20)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.http.close()

    def send(self, message: Message) -> httpx.Response:
        """POST a request as protobuf; fails the test unless it is accepted."""
        response = self.post(message, message.SerializeToString(), PROTOBUF)
        assert response.status_code == 200, response.content
        return response

    def post(self, message: Message | str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """POST `body` where requests like `message` go."""
        kind = message if isinstance(message, str) else _PATHS.get(type(message).__name__, "logs")
        return self.http.post(f"{self.otlp_http_url}/v1/{kind}", content=body, headers=headers)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """GET from the query port."""
        return self.http.get(f"{self.query_url}{path}", params=params or None)

    def data(self, path: str, **params: Any) -> Any:
        """The ``data`` of a good answer."""
        response = self.get(path, **params)
        assert response.status_code == 200, response.text
        return response.json()["data"]


@contextmanager
def collector(data: Path | None = None, **options: Any) -> Iterator[Client]:
    """A collector in this process, on free ports."""
    ports = {"otlp_grpc_port": 0, "otlp_http_port": 0, "query_port": 0}
    with Embedded(data, **{**ports, **options}) as running:
        urls = (running.otlp_grpc_url, running.otlp_http_url, running.query_url)
        with Client(*urls) as client:
            yield client


class Child:
    """``otel-kit up`` in a process of its own, on free ports, without pages."""

    def __init__(self, data: Path, *options: str) -> None:
        ports = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--query-port", "0")
        command = [sys.executable, "-m", "otel_kit.cli", "up", "--no-explorer", "--data", str(data)]
        self.process = subprocess.Popen(
            [*command, *ports, *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        urls: dict[str, str] = {}
        for line in self.process.stdout:
            *words, value = line.split("(")[0].split()
            urls[" ".join(words)] = value
            if value == "stops":
                break
        self.client = Client(urls["OTLP gRPC"], urls["OTLP HTTP"], urls["query"])

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self.client.http.close()
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(signal.SIGKILL)
