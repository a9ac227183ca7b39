"""instrument(): one Kit for a process, what it refuses, and what it leaves behind."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import propagate, trace

import otel_kit
from otel_kit import _providers, hops, integrations
from otel_kit._instrument import Kit, autostart, instrument
from otel_kit.exceptions import InvalidSetting, MissingExtra, UnsupportedLibrary
from tests.providers.sink import WAIT, Sink

Environment = Callable[..., dict[str, str]]
pytestmark = pytest.mark.usefixtures("kits")


@pytest.fixture(autouse=True)
def collector(environment: Environment, sink: Sink) -> Sink:
    """The collector that the environment names."""
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    return sink


def service_name() -> Any:
    """The name under which spans are made now."""
    provider: Any = trace.get_tracer_provider()
    return provider.resource.attributes["service.name"]


def test_hops_and_sagas_arrive(sink: Sink) -> None:
    """One line, and hops and sagas arrive at the collector."""
    kit = instrument("orders")
    placed = otel_kit.rpc_call("orders.Orders/Place", carrier={})
    with otel_kit.serve(placed), otel_kit.saga("order-17"), otel_kit.step("reserve-inventory"):
        pass
    assert kit.flush(WAIT)
    assert len(sink.spans()) == 2
    assert [record.event_name for record in sink.logs()] == ["saga.step.started"]
    assert kit.lost() == {}


def test_is_idempotent(caplog: pytest.LogCaptureFixture) -> None:
    """A second call returns the same Kit, with a warning only if its arguments are others."""
    kit = instrument("orders")
    assert instrument() is kit
    assert instrument("orders") is kit
    assert "called before" not in caplog.text
    assert instrument("billing") is kit
    assert "called before" in caplog.text
    assert service_name() == "orders"


def test_is_thread_safe() -> None:
    """However many threads call it at once, there is one Kit."""
    kits: list[Kit] = []
    threads = [threading.Thread(target=lambda: kits.append(instrument())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kits) == 8
    assert len(set(map(id, kits))) == 1


def test_shutdown_puts_everything_back(sink: Sink) -> None:
    """After a shutdown nothing is instrumented, and instrument() works again."""
    before = propagate.get_global_textmap()
    kit = instrument("orders")
    assert propagate.get_global_textmap() is not before
    assert kit.shutdown(WAIT)
    assert kit.shutdown(WAIT)
    assert propagate.get_global_textmap() is before
    assert hops.current() is None
    assert instrument("billing") is not kit
    assert service_name() == "billing"


def test_disabled(environment: Environment, sink: Sink) -> None:
    """OTEL_SDK_DISABLED=true leaves everything as it is."""
    environment(OTEL_SDK_DISABLED="true")
    kit = instrument("orders")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert hops.current() is None
    assert kit.flush()
    assert kit.shutdown()
    assert kit.lost() == {}
    assert sink.headers() == []


def test_wrong_setting_is_refused(environment: Environment) -> None:
    """A wrong setting is refused, and nothing is left behind."""
    environment(OTEL_TRACES_SAMPLER="sometimes")
    with pytest.raises(InvalidSetting, match="OTEL_TRACES_SAMPLER"):
        instrument("orders")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"integrations": ["no-such-library"]}, InvalidSetting),
        ({"prefer": "ours"}, InvalidSetting),
    ],
)
def test_wrong_argument_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """A wrong argument is refused; the next call, with a right one, works."""
    with pytest.raises(error):
        instrument("orders", **arguments)
    assert hops.current() is None
    instrument("billing")
    assert service_name() == "billing"


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, environment: Environment) -> None:
    """Prometheus without its packages is refused with the command that installs them."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    environment(OTEL_METRICS_EXPORTER="prometheus")
    with pytest.raises(MissingExtra, match=r"pip install 'otel-kit\[prometheus\]'"):
        instrument("orders")


def test_own_failure_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the kit itself cannot start, that is logged once and the application goes on."""
    monkeypatch.setattr(_providers, "create", None)
    kit = instrument("orders")
    assert instrument() is kit
    assert kit.flush()
    assert kit.shutdown()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_own_failure_is_raised_if_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """In strict mode the kit's own failure to start is raised."""
    monkeypatch.setattr(_providers, "create", None)
    with pytest.raises(TypeError):
        instrument("orders", strict=True)


def test_program_names_the_service_after_autostart() -> None:
    """A program run by otel-kit that calls instrument() itself decides its own name."""
    started = autostart("app")
    assert service_name() == "app"
    assert instrument() is started
    kit = instrument("orders")
    assert kit is not started
    assert instrument("orders") is kit
    assert service_name() == "orders"


def test_other_propagators_are_refused_if_unknown() -> None:
    """A propagator that is not installed is refused."""
    with pytest.raises(InvalidSetting, match="OTEL_PROPAGATORS"):
        instrument("orders", propagators=["smoke-signals"])


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("kafka-python", "no_such_module", "kafka-python"),
        ("aiohttp-server", "no_such_package.web", "aiohttp"),
    ],
)
def test_library_that_is_not_there(
    name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library asked for by name that is not installed is refused, and nothing is left behind."""
    monkeypatch.setitem(integrations.CATALOGUE, name, module)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedLibrary, match=f"{name} is not.* pip install {package}$"):
        instrument("orders", integrations=[name])
    assert hops.current() is None
