"""The doctor, run as its command in this process."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from otel_kit import doctor
from otel_kit.cli import main
from tests.embedded.running import Client, collector


@dataclass(frozen=True)
class Diagnosis:
    """What `otel-kit doctor --json` said."""

    code: int
    findings: list[dict[str, Any]]

    def of(self, check: str, status: str | None = None) -> list[str]:
        """The lines of one check, with their advice."""
        return [
            f"{each['text']}: {each['advice']}"
            for each in self.findings
            if each["check"] == check and status in (None, each["status"])
        ]


Examine = Callable[..., Diagnosis]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a new, empty collector."""
    with collector() as found:
        yield found


@pytest.fixture
def examine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Runs the command with these variables set, and `--url` for a collector."""
    # Somebody's own collector may be running on this machine.
    monkeypatch.setattr(doctor, "DEFAULT_URL", "http://127.0.0.1:1")

    def run(collector: Client | None = None, **variables: str) -> Diagnosis:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        if collector is not None:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.otlp_http_url)
        url = ["--url", collector.query_url] if collector is not None else []
        code = main(["doctor", "--json", *url])
        said = json.loads(capsys.readouterr().out)
        assert code == int(said["problems"] > 0)
        return Diagnosis(code, said["findings"])

    return run
