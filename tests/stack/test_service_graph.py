"""Grafana's service graph where services of the kit and others call each other.

partner (stock) → shop (kit) → bank (kit)
                        shop → ledger (stock) → archive (stock)
                               ledger → a server without telemetry
partner → clinic (the kit on OpenTelemetry's own instrumentations)
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from collector.stack.one_machine import OneMachine
from collector.stack.process import HOST, Process, free_port
from tests.stack.asking import by_labels, eventually, prometheus

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(120)]
PROGRAM = Path(__file__).with_name("services.py")
REQUESTS = 7
CALLS = {
    ("partner", "stock"): ["shop", "clinic"],
    ("shop", "kit"): ["bank", "ledger"],
    ("bank", "kit"): [],
    ("clinic", "contrib"): [],
    ("ledger", "stock"): ["archive", "mainframe"],
    ("archive", "stock"): [],
}
ONCE_EACH = {
    ("user", "partner"),  # who asks the first service has no telemetry
    ("unknown", "shop"),  # W3C headers do not tell shop who partner is
    ("unknown", "clinic"),
    ("shop", "bank"),
    ("shop", "ledger"),  # named by OTEL_KIT_PEERS
    ("ledger", "archive"),
    ("ledger", HOST),
}


class Town:
    """The services, and what they have in common."""

    def __init__(self, stack: OneMachine, folder: Path) -> None:
        names = [name for name, _ in CALLS]
        self.ports = {name: free_port() for name in (*names, "mainframe")}
        self._folder = folder
        self._environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url("otlp-http"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
            "OTEL_KIT_PEERS": f"{HOST}:{self.ports['ledger']}=ledger",
        }

    def url(self, name: str) -> str:
        """Where a service is asked."""
        return f"http://{HOST}:{self.ports[name]}/"

    def service(self, name: str, how: str, calls: Sequence[str]) -> Process:
        """It as a process."""
        arguments = [how, name, str(self.ports[name]), *map(self.url, calls)]
        command = [sys.executable, str(PROGRAM), *arguments]
        return Process(name, command, self._folder, self._ready(name), self._environment)

    def mainframe(self) -> Process:
        """A server without telemetry."""
        arguments = ["-m", "http.server", str(self.ports["mainframe"]), "--bind", HOST]
        return Process(
            "mainframe", [sys.executable, *arguments], self._folder, self._ready("mainframe")
        )

    def _ready(self, name: str) -> str:
        return f"{HOST}:{self.ports[name]}"


@pytest.fixture(scope="module")
def asked(stack: OneMachine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All of them, after some requests to the first."""
    town = Town(stack, tmp_path_factory.mktemp("town"))
    processes = [town.mainframe(), *(town.service(*who, calls) for who, calls in CALLS.items())]
    with ExitStack() as running:
        for process in processes:
            running.callback(process.stop)
            process.start()
        for _ in range(REQUESTS):
            assert httpx.get(town.url("partner"), timeout=20).text == "partner"
        yield


def test_every_hop_is_counted_once(stack: OneMachine, asked: None) -> None:
    """By the service of the kit that saw it, else by the Collector; none twice, none never."""
    query = "sum by (client, server) (traces_service_graph_request_total)"
    expected = dict.fromkeys(ONCE_EACH, float(REQUESTS))
    with prometheus(stack) as asking:
        found = eventually(
            lambda: by_labels(asking, query, "client", "server"),
            lambda found: found.keys() >= ONCE_EACH and found == expected,
        )

    assert found == expected


def test_both_kinds_are_one_metric(stack: OneMachine, asked: None) -> None:
    """Durations from the Collector and from services of the kit stand under one name."""
    query = "count by (client, server, job) (traces_service_graph_request_server_seconds_bucket)"
    expected = {("ledger", "archive", "otel-collector"), ("shop", "bank", "bank")}
    with prometheus(stack) as asking:
        found = eventually(
            lambda: by_labels(asking, query, "client", "server", "job"),
            lambda found: found.keys() >= expected,
        )

    assert found.keys() >= expected
