"""Figures from Prometheus: a real one, scraping the embedded collector."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_kit.explorer.source import BadAnswer, JaegerSource, Rows, SourceDown
from otel_kit.explorer.source.prometheus import PrometheusRows
from tests.embedded import build
from tests.embedded.running import Client, collector
from tests.explorer.canned import canned
from tests.explorer.feeding import figures

_CONFIG = """
scrape_configs:
  - job_name: kit
    honor_labels: true
    scrape_interval: 200ms
    scrape_timeout: 200ms
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str]]:
    """A collector, and the address of a Prometheus that scrapes it."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus on the PATH: apt-get install prometheus, or make stack")
    with collector() as client:
        folder = tmp_path_factory.mktemp("prometheus")
        with _prometheus(program, folder, client.query_url.removeprefix("http://")) as url:
            yield client, url


class _prometheus:  # noqa: N801 - reads as a context manager
    """Prometheus on a free port, as long as the block lasts."""

    def __init__(self, program: str, folder: Path, target: str) -> None:
        config = folder / "prometheus.yaml"
        config.write_text(_CONFIG.format(target=target))
        self._command = [
            program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0", "--log.format=logfmt",
        ]  # fmt: skip

    def __enter__(self) -> str:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        seen = []
        for line in self._process.stderr:
            seen.append(line)
            if "Listening on" in line:
                port = line.split("address=127.0.0.1:")[1].split()[0].strip('"')
                return _ready(f"http://127.0.0.1:{port}")
        raise AssertionError("".join(seen))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)


def _ready(url: str) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if httpx.get(f"{url}/-/ready").status_code == 200:
            return url
        time.sleep(0.05)
    raise AssertionError("Prometheus does not become ready")


def _until(client: Client, read: Any, enough: Any) -> Any:
    """Counters go on until what `read` answers has `enough`."""
    until = time.monotonic() + 40
    times = 0
    answer = None
    while time.monotonic() < until:
        times += 1
        client.send(build.metrics(figures(times), service="billing"))
        answer = read()
        assert isinstance(answer, Rows)
        if enough(answer.rows):
            return answer
        time.sleep(0.25)
    raise AssertionError(f"Prometheus never told it; last: {answer}")


def test_edges_from_a_real_prometheus(scraped: tuple[Client, str]) -> None:
    """The receiving side's measurement, errors by class, quantiles and waits by edge."""
    client, url = scraped
    source = JaegerSource(client.query_url, url)
    answer = _until(
        client, source.edges, lambda rows: len(rows) == 2 and all(e.errors for e in rows[:1])
    )
    source.close()

    billing, kafka = answer.rows
    assert (billing.client, billing.server, billing.side) == ("orders", "billing", "consumer")
    assert (kafka.server, kafka.side, kafka.errors) == ("kafka", "producer", {})
    assert set(billing.errors) == {"timeout"}
    assert billing.calls > billing.errors["timeout"] > 0
    assert 0 < billing.duration.p50_s < 0.1 < billing.duration.p95_s < 1
    assert 1 < billing.queue.p50_s < 2
    assert answer.window_s == 900


def test_queues_breakers_and_propagation_from_a_real_prometheus(
    scraped: tuple[Client, str],
) -> None:
    """What there is, and None for what nobody reports."""
    client, url = scraped
    rows = PrometheusRows(url)
    [queue] = _until(client, rows.queues, lambda rows: any(q.consumed for q in rows)).rows
    [breaker] = _until(client, rows.breakers, lambda rows: any(b.rejected for b in rows)).rows
    [hop] = _until(client, rows.propagation, len).rows
    rows.close()

    assert (queue.destination, queue.group, queue.lag) == ("q", "billing", None)
    assert 1 < queue.wait.p99_s < 2
    assert (breaker.name, breaker.service, breaker.state) == ("bank", "billing", "open")
    assert (hop.client, hop.destination, hop.rate) == ("orders", "q", 1.0)
    assert hop.lost > 0


def test_a_prometheus_that_is_down_or_something_else_is_told() -> None:
    """With its address, as for any source."""
    down = PrometheusRows("http://127.0.0.1:1")
    with pytest.raises(SourceDown, match=r"http://127\.0\.0\.1:1 does not answer"):
        down.queues()
    down.close()
    with canned() as server:
        server.say("/api/v1/query", {"data": {"result": [{"metric": {}, "value": ["x"]}]}})
        odd = PrometheusRows(server.url)
        with pytest.raises(BadAnswer):
            odd.edges()
        server.say("/api/v1/query", {"data": {"result": [{"metric": {}, "value": [1, "NaN"]}]}})
        assert odd.queues().rows == ()
        odd.close()
