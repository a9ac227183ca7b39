"""A service in JavaScript with OpenTelemetry's own instrumentation, as its documentation says."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.stack import cache
from collector.stack.process import HOST, Process, free_port

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
        "NODE_PATH": str(_modules()),
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


def _modules() -> Path:
    """The service's packages, as its lock file says; fetched once into the cache."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip("Node.js is not here: apt-get install nodejs npm")
    lock = HERE / "package-lock.json"
    folder = cache.root() / f"node-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    with cache.alone(lambda: None):
        if not folder.exists():
            with cache.filled(folder, ["node_modules"]) as building:
                for name in ("package.json", lock.name):
                    shutil.copy(HERE / name, building)
                fetched = subprocess.run(
                    ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                    cwd=building,
                    env={**os.environ, "npm_config_update_notifier": "false"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert fetched.returncode == 0, f"npm cannot fetch:\n{fetched.stderr[-2000:]}"
    return folder / "node_modules"
