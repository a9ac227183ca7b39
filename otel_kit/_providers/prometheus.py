"""Metrics for Prometheus to fetch: ``/metrics`` on a port of our own.

Each process needs a port of its own: a forked child gets none, its metrics start from zero
and nobody fetches them, so prefork servers do better with OTLP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_kit.exceptions import InvalidSetting, MissingExtra
from otel_kit.settings import Settings


class PrometheusEndpoint:
    """A reader and the HTTP server that answers from it."""

    def __init__(self, settings: Settings) -> None:
        """Raises `MissingExtra` without the packages, `InvalidSetting` if the port is taken."""
        try:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError as error:
            raise MissingExtra("OTEL_METRICS_EXPORTER=prometheus", "prometheus") from error
        registry = CollectorRegistry()
        self.reader: Any = PrometheusMetricReader(registry=registry)
        host, port = settings.prometheus_host, settings.prometheus_port
        self._server, _ = _serve(start_http_server, host, port, registry)
        self.port: int = self._server.server_port
        self._served_here = True

    def revive(self) -> None:
        """In a forked child: the port is the parent's."""
        self._served_here = False
        self._server.server_close()

    def close(self) -> None:
        """Free the port."""
        if self._served_here:
            self._server.shutdown()
            self._server.server_close()


def _serve(start: Callable[..., Any], host: str, port: int, registry: Any) -> Any:
    try:
        return start(port, addr=host, registry=registry)
    except OSError as error:
        raise InvalidSetting(
            f"OTEL_EXPORTER_PROMETHEUS_PORT is '{port}', which cannot be listened on at {host} "
            f"({error.strerror}): choose a free port."
        ) from error
