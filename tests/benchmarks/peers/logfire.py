"""Logfire with "alternative backends": to OTLP, and OpenTelemetry's where it has no own."""

from typing import Any

from tests.benchmarks.peers.base import Peer, opentelemetry
from tests.benchmarks.peers.contrib import instrument_rpc


class Logfire(Peer):
    title = "Logfire"
    packages = (
        "logfire[fastapi,flask,httpx,requests]",
        "opentelemetry-instrumentation-grpc",
        "opentelemetry-instrumentation-aiokafka",
    )

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        sampling = {} if ratio == 1 else {"LOGFIRE_TRACE_SAMPLE_RATE": str(ratio)}
        return opentelemetry(sink, 1) | sampling

    def start(self, work: str) -> None:
        import logfire

        logfire.configure(service_name="bench", send_to_logfire=False, console=False)
        if work == "httpx":
            logfire.instrument_httpx()
        elif work == "requests":
            logfire.instrument_requests()
        else:
            instrument_rpc(work)

    def instrument_app(self, work: str, app: Any) -> None:
        import logfire

        if work == "asgi":
            logfire.instrument_fastapi(app)
        else:
            logfire.instrument_flask(app)

    def flush(self) -> None:
        import logfire

        logfire.force_flush()


peer = Logfire()
