"""OpenTelemetry's global providers: who has set them, setting ours, and taking ours away again.

The API lets a global provider be set once and has no word for unsetting it; the names used here
are those of its own test helpers.  Setting ours must not use up the application's turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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


_PLACES: Final[dict[str, tuple[Any, str]]] = {
    "traces": (trace, "_TRACER_PROVIDER"),
    "metrics": (_metrics_internal, "_METER_PROVIDER"),
    "logs": (_logs_internal, "_LOGGER_PROVIDER"),
}


class _TheirTurn(Once):
    """Stands where the API remembers that a provider was set: the application may set its own."""

    def __init__(self, signal: str, displaced: Callable[[Any], None]) -> None:
        super().__init__()
        self._signal, self._displaced = signal, displaced

    def do_once(self, func: Callable[[], None]) -> bool:
        """As the API calls it, with a function that sets the provider."""
        module, name = _PLACES[self._signal]
        ours = getattr(module, name)
        done = super().do_once(func)
        provider = getattr(module, name)
        if done and provider is ours:
            self._done = False
        elif done:
            self._displaced(provider)
        return done


def lend(signal: str, provider: Any, displaced: Callable[[Any], None]) -> None:
    """Make ours the global provider until the application sets its own.

    `displaced` is then given the application's provider; it must not raise.
    """
    module, name = _PLACES[signal]
    set_provider = getattr(module, f"set{name.lower()}")
    set_provider(provider)
    if getattr(module, name) is provider:  # else another thread was quicker
        setattr(module, f"{name}_SET_ONCE", _TheirTurn(signal, displaced))


def withdraw(*providers: Any) -> None:
    """Unset these providers where they are the global ones."""
    for module, name in _PLACES.values():
        if any(getattr(module, name) is provider for provider in providers):
            setattr(module, name, None)
            setattr(module, f"{name}_SET_ONCE", Once())
            if module is _metrics_internal:  # its proxies remember the real one
                _metrics_internal._PROXY_METER_PROVIDER = _metrics_internal._ProxyMeterProvider()
