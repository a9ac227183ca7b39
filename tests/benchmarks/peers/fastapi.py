"""FastAPI's own telemetry, exported as the environment says."""

from tests.benchmarks.peers.base import Peer, flush_providers, opentelemetry

_ONLY_SERVER = "FastAPI instruments itself only"


class FastAPINative(Peer):
    title = "FastAPI native"
    packages = ("fastapi[opentelemetry]",)
    missing = dict.fromkeys(
        ("wsgi", "httpx", "requests", "grpc_aio", "grpc_sync", "kafka_produce", "kafka_consume"),
        _ONLY_SERVER,
    )

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        return opentelemetry(sink, ratio) | {"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}

    def flush(self) -> None:
        flush_providers()


peer = FastAPINative()
