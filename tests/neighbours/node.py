"""A service in JavaScript with OpenTelemetry's own instrumentation, as its documentation says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.stack.process import HOST, Process, free_port
from tests.servers.fetched import modules

HERE = Path(__file__).parent / "node"


@contextmanager
def service(folder: Path, *, to: str, spans_to: str) -> Iterator[str]:
    """`host:port` of a service, `checkout`, that passes requests on to `to`, a `host:port`.

    `spans_to` is the address of an OTLP receiver.
    """
    port = free_port()
    environment = {
        "PORT": str(port),
        "NEXT": f"http://{to}",
        "NODE_PATH": str(modules(HERE)),
        "OTEL_SERVICE_NAME": "checkout",
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans_to,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_NODE_RESOURCE_DETECTORS": "env",
    }
    command = ["node", str(HERE / "service.js")]
    node = Process("node", command, folder, f"{HOST}:{port}", environment)
    node.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        node.stop()
