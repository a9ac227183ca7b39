"""Metrics for Prometheus to fetch: ``/metrics`` on a port of our own.

Each process needs a port of its own.  A forked child gets none, and a second worker that finds the
port taken runs without: their metrics are lost, uncounted, because nobody fetches them.  So servers
with several workers do better with OTLP.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

from otel_kit._providers.reports import logger
from otel_kit.exceptions import InvalidSetting, MissingExtra
from otel_kit.settings import Settings

_TAKEN: Final = (
    "Port %d at %s is taken, by another worker of this service or another program: this process "
    "runs without /metrics, and nobody sees its metrics.  Give each process an "
    "OTEL_EXPORTER_PROMETHEUS_PORT of its own, or set OTEL_METRICS_EXPORTER=otlp."
)


class PrometheusEndpoint:
    """A reader and the HTTP server that answers from it."""

    def __init__(self, settings: Settings) -> None:
        """Raises `MissingExtra` without the packages, `InvalidSetting` for a wrong address."""
        try:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError as error:
            raise MissingExtra("OTEL_METRICS_EXPORTER=prometheus", "prometheus") from error
        registry = CollectorRegistry()
        self.reader: Any = PrometheusMetricReader(registry=registry)
        host, port = settings.prometheus_host, settings.prometheus_port
        self._server = _serve(start_http_server, host, port, registry)
        self.port: int | None = self._server and self._server.server_port
        """None: the port was taken."""
        self._served_here = self._server is not None

    def revive(self) -> None:
        """In a forked child: the port is the parent's."""
        self._served_here = False
        if self._server is not None:
            self._server.server_close()

    def close(self) -> None:
        """Free the port."""
        if self._served_here:
            self._server.shutdown()
            self._server.server_close()


def _serve(start: Callable[..., Any], host: str, port: int, registry: Any) -> Any:
    try:
        server, _ = start(port, addr=host, registry=registry)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # another worker of this service, most likely
            logger.warning(_TAKEN, port, host)
            return None
        raise InvalidSetting(
            f"OTEL_EXPORTER_PROMETHEUS_PORT is '{port}', which cannot be listened on at {host} "
            f"({error.strerror}): choose another."
        ) from error
    return server
