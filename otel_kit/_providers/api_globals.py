"""OpenTelemetry's global providers: who has set them, setting ours, and taking ours away again.

The API lets a global provider be set once and has no word for unsetting it; the names used here
are those of its own test helpers.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as _logs_internal
from opentelemetry.metrics import _internal as _metrics_internal
from opentelemetry.util._once import Once


def application_tracer_provider() -> Any:
    """The tracer provider that the application has set, or None."""
    return _unless(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def application_meter_provider() -> Any:
    """The meter provider that the application has set, or None."""
    return _unless(metrics.get_meter_provider(), _metrics_internal._ProxyMeterProvider)


def application_logger_provider() -> Any:
    """The logger provider that the application has set, or None."""
    return _unless(_logs.get_logger_provider(), _logs_internal.ProxyLoggerProvider)


def _unless(provider: Any, nobody: type) -> Any:
    return None if isinstance(provider, nobody) else provider


def withdraw(*providers: Any) -> None:
    """Unset these providers where they are the global ones."""
    for module, name in (
        (trace, "_TRACER_PROVIDER"),
        (_metrics_internal, "_METER_PROVIDER"),
        (_logs_internal, "_LOGGER_PROVIDER"),
    ):
        if any(getattr(module, name) is provider for provider in providers):
            setattr(module, name, None)
            setattr(module, f"{name}_SET_ONCE", Once())
            if module is _metrics_internal:  # its proxies remember the real one
                _metrics_internal._PROXY_METER_PROVIDER = _metrics_internal._ProxyMeterProvider()
