"""A real Prometheus on a free loopback port, with the project's own configuration and rules."""

import math
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.dashboards.queries import PROMETHEUS

INSTALL = "apt-get install -y --no-install-recommends prometheus"


def program(name: str) -> str:
    """Where `prometheus` or `promtool` is; skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}, from Debian's package: {INSTALL}")
    return found


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def get(self, path: str, **parameters: str) -> Any:
        """The ``data`` of an answer of its API."""
        reply = self._http.get(f"/api/v1/{path}", params=parameters)
        assert reply.is_success, f"{parameters}: {reply.text}"
        return reply.json()["data"]

    def has_data(self, expr: str) -> bool:
        """Whether a query has a figure, which NaN is not."""
        found = self.get("query", query=expr)
        samples = [found["result"]] if found["resultType"] == "scalar" else found["result"]
        values = [each["value"] if isinstance(each, dict) else each for each in samples]
        return any(not math.isnan(float(value)) for _, value in values)

    def ready(self) -> bool:
        """Whether it serves."""
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._http.close()


@contextmanager
def running_prometheus(directory: Path, target: str) -> Iterator[Prometheus]:
    """Scrape `target` (``host:port``) every second; rules are evaluated as often."""
    config = directory / "prometheus.yaml"
    config.write_text(yaml.safe_dump(_config(target)))
    listen = f"127.0.0.1:{free_port()}"
    command = [program("prometheus"), f"--config.file={config}", f"--web.listen-address={listen}"]
    options = [f"--storage.tsdb.path={directory / 'data'}", "--enable-feature=exemplar-storage"]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen([*command, *options], stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        prometheus = Prometheus(f"http://{listen}")
        try:
            wait_for(lambda: prometheus.ready() or process.poll() is not None, 20)
            assert process.poll() is None, (directory / "log").read_text()
            yield prometheus
        finally:
            prometheus.close()
            process.terminate()


def _config(target: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / each) for each in config["rule_files"]]
    (job,) = (each for each in config["scrape_configs"] if each["job_name"] == "otel-kit-embedded")
    config["scrape_configs"] = [{**job, "static_configs": [{"targets": [target]}]}]
    return config


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
