"""OTEL_METRICS_EXPORTER=prometheus: metrics are there to be fetched."""

from __future__ import annotations

import urllib.request

import pytest
from opentelemetry import metrics

from otel_kit.exceptions import InvalidSetting
from tests.providers.conftest import Make
from tests.providers.sink import WAIT, Sink, black_hole
from tests.providers.telemetry import MANUAL, spans

PROMETHEUS = {
    "OTEL_METRICS_EXPORTER": "prometheus",
    "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
    "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
}


def fetched(port: int | None) -> str:
    """The text of /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT) as answer:
        text: str = answer.read().decode()
        return text


def test_metrics_can_be_fetched(make: Make, sink: Sink) -> None:
    """Metrics are on the port, with the name of the service; other signals go their way."""
    providers = make(sink.url, **PROMETHEUS)
    metrics.get_meter("test").create_counter("orders").add(3)
    text = fetched(providers.prometheus_port)
    assert 'orders_total{otel_scope_name="test"' in text
    assert 'service_name="orders"' in text


def test_port_is_freed(make: Make, sink: Sink) -> None:
    """A shutdown frees the port, so that the next start can have it."""
    first = make(sink.url, **PROMETHEUS)
    port = first.prometheus_port
    first.shutdown(WAIT)
    second = make(sink.url, **PROMETHEUS | {"OTEL_EXPORTER_PROMETHEUS_PORT": str(port)})
    assert second.prometheus_port == port


def test_second_worker_lives(make: Make, sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    """A port that is taken, as by another worker, is told in one line; all else works."""
    with black_hole() as taken:
        port = {"OTEL_EXPORTER_PROMETHEUS_PORT": taken.rpartition(":")[2]}
        providers = make(sink.url, **MANUAL | PROMETHEUS | port)
    assert "runs without /metrics" in caplog.text
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" in caplog.text
    assert providers.prometheus_port is None
    metrics.get_meter("test").create_counter("orders").add(1)
    spans(1, "work")
    assert providers.flush(WAIT)
    assert sink.names() == ["work"]
    assert providers.shutdown(WAIT)


def test_impossible_address_is_refused(make: Make) -> None:
    """An address this machine does not have is refused in one sentence that names the variable."""
    with pytest.raises(InvalidSetting, match=r"OTEL_EXPORTER_PROMETHEUS_PORT is '\d+'"):
        make(**PROMETHEUS | {"OTEL_EXPORTER_PROMETHEUS_HOST": "192.0.2.1"})
