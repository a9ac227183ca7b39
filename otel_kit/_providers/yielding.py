"""Global providers that give way when the application sets its own after us.

`otel-kit run`, and an `instrument()` in the first line, come before the application's own set-up of
OpenTelemetry, and what was handed out meanwhile is kept in modules for ever.  So these providers
hand out the API's proxies, which it made for just that: they lead to our SDK until `give_way()`,
and from then on to whatever the application has set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs._internal import ProxyLogger
from opentelemetry.metrics import _internal as api_metrics
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.util.types import Attributes

from otel_kit._providers.hop_spans import HopTracerProvider
from otel_kit._providers.measuring import MeasuringMeterProvider


class YieldingTracerProvider(HopTracerProvider):
    """Its tracers lead to the application's provider as soon as there is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lent: WeakSet[trace.ProxyTracer] = WeakSet()
        self._displaced = False

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """A tracer that follows."""
        scope = instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        if self._displaced:
            return trace.get_tracer_provider().get_tracer(*scope)
        tracer = trace.ProxyTracer(*scope)
        tracer._real_tracer = super().get_tracer(*scope)
        self._lent.add(tracer)
        return tracer

    def give_way(self) -> None:
        """From now on the tracers find the global provider by themselves."""
        self._displaced = True
        for tracer in list(self._lent):
            tracer._real_tracer = None
        self.unpublish()


class YieldingLoggerProvider(LoggerProvider):
    """Its loggers lead to the application's provider as soon as there is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lent: WeakSet[ProxyLogger] = WeakSet()
        self._displaced = False

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> _logs.Logger:
        """A logger that follows."""
        scope = name, version, schema_url, attributes
        if self._displaced:
            return _logs.get_logger_provider().get_logger(*scope)
        logger = ProxyLogger(*scope)
        logger._real_logger = super().get_logger(*scope)
        self._lent.add(logger)
        return logger

    def give_way(self) -> None:
        """From now on the loggers find the global provider by themselves."""
        self._displaced = True
        for logger in list(self._lent):
            logger._real_logger = None


class YieldingMeterProvider(MeasuringMeterProvider):
    """Its instruments record into the application's provider as soon as there is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lent: dict[metrics.Meter, YieldingMeter] = {}
        self._displaced = False

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> metrics.Meter:
        """A meter that follows."""
        if self._displaced:
            provider = metrics.get_meter_provider()
            return provider.get_meter(name, version, schema_url, attributes)
        real = super().get_meter(name, version, schema_url, attributes)
        return self._lent.setdefault(real, YieldingMeter(real, name, version, schema_url))

    @property
    def lent(self) -> list[YieldingMeter]:
        """The meters that were handed out."""
        return list(self._lent.values())

    def give_way(self) -> None:
        """Make the instruments anew in the global provider; they keep their callbacks."""
        self._displaced = True
        for meter in self.lent:
            meter.on_set_meter_provider(metrics.get_meter_provider())
        self.unpublish()


class YieldingMeter(api_metrics._ProxyMeter):
    """The API's proxy of a meter, whose instruments are real from the start."""

    def __init__(
        self, real: metrics.Meter, name: str, version: str | None, schema_url: str | None
    ) -> None:
        super().__init__(name, version, schema_url)
        self._instruments: Any = _Instruments(real)


class _Instruments:
    """Proxies of instruments, made real in `meter`.  To make one again and again takes no room."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._meter = meter
        self._lent: WeakSet[Any] = WeakSet()
        self._kept: dict[int, Any] = {}

    def append(self, proxy: Any) -> None:
        """As the API's proxy of a meter calls it."""
        proxy.on_meter_set(self._meter)
        self._lent.add(proxy)
        # One with callbacks works though nobody holds it; the SDK keeps the real one for ever.
        self._kept.setdefault(id(proxy._real_instrument), proxy)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._lent))
