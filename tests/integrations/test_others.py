"""Integrations of third parties, each a distribution with an entry point."""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from otel_kit._instrument import instrument
from otel_kit.exceptions import InvalidSetting, UnsupportedLibrary
from otel_kit.integrations import CATALOGUE, catalogue
from otel_kit.integrations._others import others
from otel_kit.testing import capture

LIBRARY = """
def signal(text):
    return text.upper()
"""
INTEGRATION = """
from otel_kit import Hop
from otel_kit.integrations import Call, Integration

integration = Integration("smoke", supports="smoke>=1")

@integration.calls("smoke:signal")
def signal(call: Call) -> Hop:
    return Hop(system="smoke", operation="signal", destination="hill")
"""
Distribution = Callable[[str], None]


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    """Install a library and an integration of it, which the entry point names."""

    def install(reference: str) -> None:
        (tmp_path / "smoke.py").write_text(LIBRARY)
        (tmp_path / "smoke_otel.py").write_text(INTEGRATION)
        information = tmp_path / "smoke_otel-1.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: smoke-otel\n")
        (information / "entry_points.txt").write_text(
            f"[otel_kit.integrations]\nsmoke = {reference}\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        others.cache_clear()

    yield install
    monkeypatch.undo()
    others.cache_clear()
    for module in ("smoke", "smoke_otel"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("asked_for", [(), ("smoke",)])
def test_the_integration_of_a_third_party_makes_hops(
    distribution: Distribution, asked_for: tuple[str, ...]
) -> None:
    """The import of its library activates it, also after the start."""
    distribution("smoke_otel:integration")
    with capture("tested", integrations=asked_for) as telemetry:
        assert "smoke" not in sys.modules
        smoke = importlib.import_module("smoke")
        assert smoke.signal("fire") == "FIRE"

    assert telemetry.span(kind=SpanKind.CLIENT).name == "signal"
    assert smoke.signal("out") == "OUT"
    assert len(telemetry.spans) == 1


def test_it_can_be_switched_off(distribution: Distribution) -> None:
    """By its name, as one of the kit's own."""
    distribution("smoke_otel:integration")
    with capture("tested", disabled_integrations=["smoke"]) as telemetry:
        importlib.import_module("smoke").signal("fire")

    assert telemetry.spans == []


def test_what_is_no_integration_is_left_out(
    distribution: Distribution, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, and the library works."""
    distribution("smoke_otel:signal")
    with caplog.at_level(logging.WARNING, "otel_kit"), capture("tested") as telemetry:
        assert importlib.import_module("smoke").signal("fire") == "FIRE"

    assert telemetry.spans == []
    assert "smoke_otel:signal, which is no otel_kit.integrations.Integration" in caplog.text


def test_what_is_asked_for_and_no_integration_is_refused(distribution: Distribution) -> None:
    """Whoever asks for it by name is told at once."""
    distribution("smoke_otel:signal")
    importlib.import_module("smoke")
    with pytest.raises(UnsupportedLibrary, match="smoke cannot be instrumented"):
        instrument("orders", integrations=["smoke"])


def test_an_unknown_name_is_refused_with_the_known_ones(distribution: Distribution) -> None:
    """Those of third parties are among them."""
    distribution("smoke_otel:integration")
    with pytest.raises(InvalidSetting, match=r"'smok' is none of .*, smoke, "):
        instrument("orders", integrations=["smok"])


def test_the_kits_own_are_not_replaced(distribution: Distribution) -> None:
    """An entry point of the name of one of them is not looked at."""
    distribution("smoke_otel:integration")

    assert set(catalogue()) == {*CATALOGUE, "smoke"}
    assert {name: catalogue()[name] for name in CATALOGUE} == dict(CATALOGUE)
