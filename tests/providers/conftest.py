"""Fixtures for everything that sends telemetry: a collector, providers, and programs to run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_kit import _instrument, _providers
from otel_kit.settings import Settings
from tests.providers.sink import WAIT, Sink

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own, and none left over."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "_OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A collector that takes everything."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Sets variables, for this process and the programs it runs: ``environment(BSP_…=1)``."""

    def set_all(**variables: str) -> dict[str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return variables

    return set_all


Make = Callable[..., _providers.Providers]


@pytest.fixture
def make(environment: Callable[..., dict[str, str]]) -> Iterator[Make]:
    """Makes providers that send to a URL, with more variables; they are shut down afterwards."""
    made: list[_providers.Providers] = []

    def make(url: str = "", *, record_unsampled: bool = True, **variables: str) -> Any:
        environment(**({"OTEL_EXPORTER_OTLP_ENDPOINT": url} if url else {}), **variables)
        settings = Settings.from_environment("orders")
        made.append(_providers.create(settings, record_unsampled=record_unsampled))
        return made[-1]

    yield make
    for each in made:
        each.shutdown(0)


@pytest.fixture
def kits() -> Iterator[None]:
    """What `instrument()` has set up is taken down afterwards."""
    yield
    if _instrument._current is not None:
        _instrument._current.shutdown(0)


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a Python program, given as text, in a process of its own."""

    def start(
        text: str, *, through: tuple[str, ...] = (), name: str = "app.py", **variables: str
    ) -> subprocess.Popen[str]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return subprocess.Popen(
            [sys.executable, *through, str(path)],
            env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit status, standard output and standard error of a program that has ended."""
    out, err = process.communicate(timeout=WAIT)
    return process.returncode, out, err
