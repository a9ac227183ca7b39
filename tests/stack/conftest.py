"""The real parts on free ports, with the configurations for one machine."""

from collections.abc import Iterator

import pytest

from collector.stack.one_machine import OneMachine, free_ports
from collector.stack.parts import PARTS

HASTE = {
    "OTELCOL_TRACE_WAIT": "1s",
    "OTELCOL_DECISION_WAIT": "2s",
    "OTELCOL_PAIR_WAIT": "3s",
    "OTELCOL_GRAPH_INTERVAL": "1s",
}
"""A Collector that waits seconds where it would wait half a minute."""


@pytest.fixture(scope="session", autouse=True)
def _parts(request: pytest.FixtureRequest) -> None:
    """Every test here needs the real parts."""
    if not request.config.getoption("--stack"):
        pytest.skip("needs the real Collector, Jaeger, Prometheus and Kafka: make test-stack")
    missing = [part.name for part in PARTS if not part.path.exists()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not built: run make stack")


@pytest.fixture(scope="session")
def stack(_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    """Collector, Jaeger and Prometheus; of healthy sagas a third is kept."""
    environment = {**HASTE, "OTELCOL_SHARE": "33", "OTELCOL_SLOW_STEP": "500ms"}
    folder = tmp_path_factory.mktemp("stack")
    parts = ("jaeger", "prometheus", "collector")
    with OneMachine(folder, free_ports(), environment, "1s", parts) as running:
        yield running
