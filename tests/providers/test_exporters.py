"""The exporters besides OTLP over HTTP: gRPC, the console, none, and several at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry import _logs, metrics, trace

from otel_kit._instrument import instrument
from otel_kit.exceptions import InvalidSetting
from tests.providers.conftest import Make
from tests.providers.grpc_sink import GrpcSink
from tests.providers.sink import WAIT, Sink, refusing
from tests.providers.telemetry import MANUAL, SPANS_ONLY, spans


def test_grpc(make: Make) -> None:
    """OTLP over gRPC delivers the three signals."""
    with GrpcSink() as sink:
        providers = make(sink.target, **MANUAL, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        spans(3)
        metrics.get_meter("test").create_counter("orders").add(3)
        _logs.get_logger("test").emit(event_name="hello")
        assert providers.flush(WAIT)
        assert sorted(sink.received) == ["logs", "metrics", "traces"]


@pytest.mark.parametrize(
    "compression",
    [
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "none"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "None"},
        {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "GZIP"},
    ],
)
def test_grpc_compression(make: Make, compression: dict[str, str]) -> None:
    """Over gRPC every allowed compression delivers, for all signals or for one."""
    with GrpcSink() as sink:
        grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        providers = make(sink.target, **MANUAL, **grpc, **compression)
        spans(3)
        metrics.get_meter("test").create_counter("orders").add(3)
        _logs.get_logger("test").emit(event_name="hello")
        assert providers.flush(WAIT)
        assert sorted(sink.received) == ["logs", "metrics", "traces"]


@pytest.mark.parametrize("signal", ["", "TRACES_", "METRICS_", "LOGS_"])
def test_grpc_knows_no_deflate(make: Make, signal: str) -> None:
    """A compression that gRPC lacks is refused at the start, for each signal."""
    name = f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION"
    with pytest.raises(InvalidSetting, match=f"{name} is 'deflate'.*none or gzip"):
        make(**{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", name: "deflate"})


def test_what_only_the_exporter_refuses(
    environment: Callable[..., dict[str, str]], kits: None
) -> None:
    """What an exporter does not like of the environment is refused at the start, by its signal."""
    environment(OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER="nobody")
    with pytest.raises(InvalidSetting, match=r"exporter for logs refuses .*nobody"):
        instrument("orders")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def test_grpc_collector_is_away(make: Make) -> None:
    """Over gRPC a flush to nobody is False, and what was held back arrives afterwards."""
    with refusing() as port:
        url = f"http://127.0.0.1:{port}"
        providers = make(url, **SPANS_ONLY, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        spans(3)
        assert not providers.flush(WAIT)
    with GrpcSink(port) as sink:
        assert providers.flush(WAIT)
        assert sink.received == {"traces": 3}
    assert providers.lost() == {}


def test_grpc_refusal_and_rejection_are_counted(make: Make) -> None:
    """Over gRPC too, spans refused for good and spans rejected in part are counted."""
    with GrpcSink() as sink:
        providers = make(sink.target, **SPANS_ONLY, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        sink.refuse = True
        spans(3)
        assert not providers.flush(WAIT)
        sink.refuse, sink.reject = False, 2
        spans(5)
        assert not providers.flush(WAIT)
    assert providers.lost() == {("traces", "export_failed"): 3, ("traces", "rejected"): 2}


def test_console(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """The console exporter prints the three signals."""
    console = dict.fromkeys(
        ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "console"
    )
    providers = make(**MANUAL, **console)
    spans(1, "a span")
    metrics.get_meter("test").create_counter("a_counter").add(1)
    _logs.get_logger("test").emit(event_name="an event")
    assert providers.flush(WAIT)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("a span", "a_counter", "an event"))


def test_no_exporter(make: Make) -> None:
    """Exporters that are switched off leave nothing to deliver and nothing to lose."""
    none = dict.fromkeys(
        ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none"
    )
    providers = make(**none)
    spans(10)
    assert providers.flush(WAIT)
    assert providers.lost() == {}


def test_two_exporters(make: Make, sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """Two exporters for one signal each get all of it."""
    providers = make(sink.url, **SPANS_ONLY, OTEL_TRACES_EXPORTER="otlp,console")
    spans(1, "a span")
    assert providers.flush(WAIT)
    assert sink.names() == ["a span"]
    assert "a span" in capsys.readouterr().out
