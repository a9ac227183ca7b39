"""What is lost, and what is not, when a part of the real stack is away."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from collector.stack.one_machine import OneMachine, free_ports
from tests.dashboards.queries import OF_COLLECTOR, rule_queries
from tests.stack.asking import Jaeger, eventually, prometheus, total
from tests.stack.conftest import HASTE

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]
PROGRAM = Path(__file__).with_name("load_program.py")
PARTS = ("jaeger", "prometheus", "collector")
HOLDS = 300
"""Spans that the service under load can hold back."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    """Every saga is kept, so that all can be counted."""
    environment = {**HASTE, "OTELCOL_SHARE": "100"}
    folder = tmp_path_factory.mktemp("faults")
    with OneMachine(folder, free_ports(), environment, "1s", PARTS) as running:
        yield running


class Load:
    """The service under load."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name, self.made = name, 0
        self._process = process

    def make(self, count: int, size: int = 10) -> None:
        """Let it make spans; fails if it does not."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{count} {size}\n")
        self._process.stdin.flush()
        before, self.made = self.made, int(self._process.stdout.readline())
        assert self.made == before + count

    def end(self) -> None:
        """Let it end; it sends what it still has."""
        _, said = self._process.communicate(timeout=30)
        assert self._process.returncode == 0, said


@contextmanager
def load(stack: OneMachine, name: str) -> Iterator[Load]:
    """A service of this name that sends to a stack."""
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url("otlp-http"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_MAX_QUEUE_SIZE": str(HOLDS),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    command = [sys.executable, str(PROGRAM), name]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
    ) as process:
        try:
            yield Load(name, process)
        finally:
            process.kill()


def arrived(stack: OneMachine, service: str) -> int:
    """How many different spans of a service Jaeger has."""
    return len({span.id for span in Jaeger(stack.url("jaeger")).spans(service)})


def lost(stack: OneMachine, service: str) -> int:
    """How many spans the service has counted as lost, as Prometheus knows."""
    query = f'otel_kit_telemetry_lost_total{{job="{service}",signal="traces"}}'
    with prometheus(stack) as asking:
        return int(total(asking, query))


def own(stack: OneMachine, name: str) -> float:
    """A metric of the Collector's own, asked from itself; 0 if it has none."""
    text = httpx.get(f"{stack.url('collector-metrics')}/metrics").raise_for_status().text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


def accounted(stack: OneMachine, service: str, made: int) -> tuple[int, int]:
    """What arrived and what was counted as lost, as soon as it is all."""
    return eventually(
        lambda: (arrived(stack, service), lost(stack, service)),
        lambda found: sum(found) >= made,
        60,
    )


def test_a_collector_that_is_away(stack: OneMachine, request: pytest.FixtureRequest) -> None:
    """Services go on; what they could hold back arrives, the rest is counted to the span."""
    with load(stack, "patient") as service:
        service.make(100)
        stack.collector.stop()
        end = time.monotonic() + request.config.getoption("--outage")
        while time.monotonic() < end:
            service.make(20)
            time.sleep(0.1)
        service.make(2 * HOLDS)
        stack.collector.start()
        service.make(1)
        came, gone = accounted(stack, "patient", service.made)
        service.end()

    assert came + gone == service.made
    assert gone >= HOLDS
    assert came >= HOLDS


def test_a_jaeger_that_is_away(stack: OneMachine) -> None:
    """Traces wait on the Collector's disk, also while that is stopped or killed; all arrive."""
    with load(stack, "waiting") as service:
        service.make(100)
        eventually(lambda: arrived(stack, "waiting"), lambda found: found == 100)
        stack.jaeger.stop()
        service.make(100)
        _queued(stack, 200)
        stack.collector.stop()
        stack.collector.start()
        service.make(100)
        _queued(stack, 100)
        stack.collector.kill()
        stack.collector.start()
        assert own(stack, "otelcol_exporter_queue_size") > 0
        stack.jaeger.start()
        came, gone = accounted(stack, "waiting", service.made)
        service.end()

    assert (came, gone) == (service.made, 0)
    assert eventually(lambda: own(stack, "otelcol_exporter_queue_size"), lambda left: not left) == 0


def _queued(stack: OneMachine, spans: int) -> None:
    """Wait until so many, since the Collector's start, are decided and in the queue."""
    decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
    # Each is decided twice: with its trace, and with its saga.
    assert eventually(lambda: own(stack, decided), lambda found: found >= 2 * spans) >= 2 * spans
    sizes: list[float] = []  # from now on: what waited before was as still

    def still() -> bool:
        sizes.append(own(stack, "otelcol_exporter_queue_size"))
        return len(sizes) > 8 and 0 < sizes[-8] == sizes[-1]

    assert eventually(still, bool)


def test_a_prometheus_that_is_away(stack: OneMachine) -> None:
    """Nobody else notices, and counters are right when it is back."""
    with load(stack, "unnoticed") as service:
        stack.prometheus.stop()
        log = stack.collector.log.stat().st_size
        service.make(100)
        came = eventually(lambda: arrived(stack, "unnoticed"), lambda found: found == 100)
        with stack.collector.log.open() as lines:
            lines.seek(log)
            troubles = [line for line in lines if re.search(r"\t(warn|error)\t", line)]
        stack.prometheus.start()
        query = 'otel_kit_saga_started_total{name="unnoticed"}'
        with prometheus(stack) as asking:
            counted = eventually(lambda: total(asking, query), lambda found: found == 100)
        service.end()

    assert (came, troubles, counted) == (100, [], 100)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = subprocess.run(mounting, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs to mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


FAILED = "otelcol_exporter_enqueue_failed_spans"
LOSING = 'alertname="CollectorLosesSpans",alertstate="firing"'


@contextmanager
def overflowing(folder: Path, environment: dict[str, str]) -> Iterator[tuple[OneMachine, Load]]:
    """Jaeger is away, and a service makes spans until an alert says that some are lost."""
    told = {**HASTE, "OTELCOL_SHARE": "100", **environment}
    with (
        OneMachine(folder / "parts", free_ports(), told, "1s", PARTS) as stack,
        load(stack, "crowded") as service,
        prometheus(stack) as asking,
    ):
        stack.jaeger.stop()

        def alarmed() -> bool:
            service.make(100, 4000)
            return asking.has_data(f"ALERTS{{{LOSING}}}")

        assert eventually(alarmed, bool, 100)
        yield stack, service
        service.end()


def test_a_queue_that_is_full(tmp_path: Path) -> None:
    """What has no room is counted to the span, an alert says so, and the rest arrives."""
    with overflowing(tmp_path, {"OTELCOL_QUEUE_BYTES": "6000000"}) as (stack, service):
        with prometheus(stack) as asking:
            assert asking.has_data(f'ALERTS{{{LOSING},reason="queue_full"}}')
            asked = rule_queries([OF_COLLECTOR])
            now = [each for each in asked if not re.search("max_over_time|== 0", each.expr)]
            assert [str(each) for each in now if not asking.has_data(each.expr)] == []
        stack.jaeger.start()
        came, refused, given_up = eventually(
            lambda: (arrived(stack, "crowded"), int(own(stack, FAILED)), lost(stack, "crowded")),
            lambda found: sum(found) >= service.made,
            60,
        )

        assert came + refused + given_up == service.made
        assert came > 0


def test_a_disk_that_is_full(disk: Path, tmp_path: Path) -> None:
    """The same alert; services are not affected, and all is well again when Jaeger is back.

    Nothing is asserted of the number: on a full disk the Collector's queue gives up what it had
    already taken, and does not count that.  Nor of the reason: sometimes it only does that.
    """
    with overflowing(tmp_path, {"OTELCOL_QUEUE": str(disk / "queue")}) as (stack, service):
        jaeger = Jaeger(stack.url("jaeger"))
        stack.jaeger.start()
        _until_one_arrives(jaeger, service)
        assert eventually(lambda: own(stack, "otelcol_exporter_queue_size") == 0, bool)
        next_one = {"saga.id": f"crowded-{service.made}"}
        service.make(1)

        assert eventually(lambda: jaeger.traces("crowded", next_one), bool)
        with prometheus(stack) as asking:
            empty = [each.expr for each in rule_queries([OF_COLLECTOR]) if "== 0" in each.expr]
            assert eventually(lambda: all(map(asking.has_data, empty)), bool)


def _until_one_arrives(jaeger: Jaeger, service: Load) -> None:
    """The last of the large ones may be given up together with the first small ones."""

    def arrives() -> bool:
        service.make(1, 7)
        return bool(jaeger.traces(service.name, {"load": 7 * "x"}))

    assert eventually(arrives, bool)
