"""The real parts accept what docker-compose.yml tells them, down to the variables."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from collector.stack import run

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final[dict[str, dict[str, Any]]] = yaml.safe_load(
    (ROOT / "docker-compose.yml").read_text()
)["services"]


def _program(name: str) -> Path:
    try:
        return run.program(name)
    except run.NotBuilt as missing:
        pytest.skip(str(missing))


def _run(service: str, command: list[str | Path]) -> str:
    """What a command says with the variables of a service; it must succeed."""
    variables = {
        name: value.removeprefix("${OTELCOL_SHARE:-").rstrip("}")
        for name, value in SERVICES[service].get("environment", {}).items()
    }
    environment = {**os.environ, **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("service", "folder"), [("collector", "otelcol"), ("jaeger", "jaeger")], ids=str
)
def test_collector_and_jaeger_accept_their_configuration(service: str, folder: str) -> None:
    """By their own `validate`."""
    config = ROOT / "collector" / folder / "one-machine.yaml"

    _run(service, [_program(service), "validate", f"--config={config}"])


def test_prometheus_accepts_its_configuration() -> None:
    """By promtool, with the rules beside it as they are mounted."""
    promtool = _program("prometheus").with_name("promtool")
    rules = len(list((ROOT / "collector/prometheus/rules").glob("*.yaml")))

    said = _run(
        "prometheus", [promtool, "check", "config", ROOT / "collector/prometheus/compose.yaml"]
    )
    assert f"{rules} rule files found" in said


def test_kafka_makes_a_broker_of_its_variables(tmp_path: Path) -> None:
    """By the program that the image runs first: properties are merged and the disk formatted."""
    jars = _program("kafka")
    mounted, final, defaults = (tmp_path / name for name in ("mounted", "final", "defaults"))
    for folder in (mounted, final, defaults):
        folder.mkdir()
    shutil.copy(ROOT / "collector/kafka/server.properties", mounted)
    data = tmp_path / "data"
    command = [
        *("env", f"KAFKA_LOG_DIRS={data}", "CLUSTER_ID=5L6g3nShT-eMCtK--X86sw"),
        *("java", "-cp", f"{jars}/*", "kafka.docker.KafkaDockerWrapper", "setup"),
        *("--default-configs-dir", defaults, "--mounted-configs-dir", mounted),
        *("--final-configs-dir", final),
    ]
    _run("kafka", command)
    lines = (final / "server.properties").read_text().splitlines()
    merged = dict(line.split("=", 1) for line in lines if "=" in line)

    variables = SERVICES["kafka"]["environment"]
    assert merged["listeners"] == variables["KAFKA_LISTENERS"]
    assert merged["advertised.listeners"] == variables["KAFKA_ADVERTISED_LISTENERS"]
    assert merged["process.roles"] == "broker,controller"
    assert (data / "meta.properties").exists()
