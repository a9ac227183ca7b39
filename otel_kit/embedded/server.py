"""The running collector: two HTTP ports, one gRPC port, one store, each in threads of its own."""

import asyncio
import contextlib
import socket
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from otel_kit._hosts import HostCheck
from otel_kit._listening import PortTaken, address, listen, why_not
from otel_kit.embedded.api import application
from otel_kit.embedded.config import Config
from otel_kit.embedded.intake import Intake
from otel_kit.embedded.receiver_grpc import GrpcReceiver
from otel_kit.embedded.receiver_http import HttpReceiver
from otel_kit.embedded.store import Store

_GRACE_S: Final = 3
"""How long requests in progress may take to finish at the end."""


class Embedded:
    """The embedded collector, running from `start` (or ``with``) to `stop`.

    Options are those of `Config`.  After `start` the attributes ``otlp_grpc_port``,
    ``otlp_http_port`` and ``query_port`` hold the ports in use, also where 0 was asked for.
    """

    def __init__(self, data: Path | str | None = None, **options: Any) -> None:
        """Nothing is opened yet; `data` None keeps nothing after `stop`."""
        self.config = replace(Config(), data=Path(data) if data else None, **options)
        self.otlp_grpc_port = self.config.otlp_grpc_port
        self.otlp_http_port = self.config.otlp_http_port
        self.query_port = self.config.query_port
        self._undo = contextlib.ExitStack()

    def start(self) -> "Embedded":
        """Open the store and serve; raises PortTaken, DataUnusable or InvalidSetting."""
        with contextlib.ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def _start(self, undo: contextlib.ExitStack) -> None:
        config = self.config
        http = undo.enter_context(listen(config.host, config.otlp_http_port, "--otlp-http-port"))
        query = undo.enter_context(listen(config.host, config.query_port, "--query-port"))
        self.otlp_http_port, self.query_port = http.getsockname()[1], query.getsockname()[1]
        with listen(config.host, config.otlp_grpc_port, "--otlp-grpc-port"):
            pass  # only to see that it is free: grpc's own message does not say why it is not
        self.store = Store(config)
        undo.callback(self.store.close)
        intake = Intake(self.store, config.max_body)
        grpc = _grpc(intake, config)
        self.otlp_grpc_port = grpc.port
        receiver = HttpReceiver(intake, config.max_body)
        undo.callback(receiver.close)
        answers = self.store.answering.first(application(self.store))
        apps: list[tuple[ASGIApp, socket.socket]] = [(receiver.app, http), (answers, query)]
        hosts = (config.host, *config.allowed_hosts)
        undo.callback(_serve([(HostCheck(app, hosts), sock) for app, sock in apps]))
        grpc.start()
        undo.callback(grpc.close, _GRACE_S)

    def stop(self) -> None:
        """Finish requests in progress, commit, close.  May be called twice."""
        self._undo.close()

    def __enter__(self) -> "Embedded":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def otlp_grpc_url(self) -> str:
        """For ``OTEL_EXPORTER_OTLP_ENDPOINT`` with protocol grpc."""
        return self._url(self.otlp_grpc_port)

    @property
    def otlp_http_url(self) -> str:
        """For ``OTEL_EXPORTER_OTLP_ENDPOINT`` with protocol http/protobuf."""
        return self._url(self.otlp_http_port)

    @property
    def query_url(self) -> str:
        """Jaeger's API, the kit's API, /metrics and /healthz."""
        return self._url(self.query_port)

    def _url(self, port: int) -> str:
        return f"http://{address(self.config.host, port)}"


def _grpc(intake: Intake, config: Config) -> GrpcReceiver:
    try:
        return GrpcReceiver(intake, address(config.host, config.otlp_grpc_port), config.max_body)
    except RuntimeError as error:
        reason = why_not(config.host, config.otlp_grpc_port, "--otlp-grpc-port", error)
        raise PortTaken(reason) from error


class _Uvicorn(uvicorn.Server):
    """Tells when it serves."""

    def __init__(self, app: ASGIApp) -> None:
        options: dict[str, Any] = {"lifespan": "off", "access_log": False, "log_config": None}
        super().__init__(
            uvicorn.Config(app, timeout_graceful_shutdown=_GRACE_S, server_header=False, **options)
        )
        self.serving = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


def _serve(apps: list[tuple[ASGIApp, socket.socket]]) -> Any:
    """Serve in a thread with a loop of its own; returns what ends it."""
    servers = [(_Uvicorn(app), sock) for app, sock in apps]

    async def main() -> None:
        await asyncio.gather(*(server.serve([sock]) for server, sock in servers))

    thread = threading.Thread(target=asyncio.run, args=[main()], name="otel-kit-http", daemon=True)
    thread.start()
    for server, _ in servers:
        server.serving.wait()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True
        thread.join()

    return stop
