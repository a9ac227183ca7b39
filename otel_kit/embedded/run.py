"""``otel-kit up``: the collector in the foreground until Ctrl-C or SIGTERM."""

import signal
import threading
from types import FrameType

from otel_kit.embedded.server import Embedded


def run(collector: Embedded) -> None:
    """Start, print where everything is, wait for SIGINT or SIGTERM, stop."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    with collector:
        print(_greeting(collector), flush=True)  # noqa: T201  # the command's output
        stop.wait()


def _greeting(collector: Embedded) -> str:
    kept = collector.config.data or "nowhere (--ephemeral)"
    return "\n".join(
        [
            f"OTLP gRPC  {collector.otlp_grpc_url}",
            f"OTLP HTTP  {collector.otlp_http_url}",
            f"query      {collector.query_url}  (Jaeger API, /api/sagas, /api/edges)",
            f"metrics    {collector.query_url}/metrics",
            f"health     {collector.query_url}/healthz",
            f"data       {kept}",
            "Ctrl-C stops",
        ]
    )
