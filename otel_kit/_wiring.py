"""Connects the core to one set of providers; `instrument()` and `testing.capture()` share it."""

import atexit
from collections.abc import Callable

from opentelemetry import propagate
from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

from otel_kit import _propagators, hops, integrations, names, sagas
from otel_kit._providers.hop_spans import HopTracerProvider
from otel_kit._providers.measuring import MeasuringMeterProvider
from otel_kit.gauges import breakers
from otel_kit.gauges.readings import readings
from otel_kit.hops import loops
from otel_kit.integrations import bridge
from otel_kit.settings import Settings

OnStart = Callable[[Span, Context | None], None]
OnEnd = Callable[[object], None]
Undo = Callable[[], None]


def wire(
    settings: Settings,
    *,
    tracer_provider: TracerProvider,
    meter_provider: MeterProvider,
    logger_provider: LoggerProvider,
    watch: Callable[[OnStart, OnEnd], None],
) -> Undo:
    """Make the four verbs, the sagas and the integrations use these providers.

    `watch` adds a span processor of two functions to the tracer provider.  The returned function
    puts back what was there before.
    """
    before, runtime = propagate.get_global_textmap(), hops.configured()
    propagator = _propagators.propagator(settings, before)
    meter = meter_provider.get_meter(names.SCOPE)
    unread = readings.install(meter, settings.metric_interval / 1000)

    def put_back() -> None:
        atexit.unregister(loops.stop_all)
        unread()
        if propagate.get_global_textmap() is propagator:  # else the application's own, set since
            propagate.set_global_textmap(before)
        hops.configure(runtime)
        unreport()

    made = hops.Runtime(
        tracer=tracer_provider.get_tracer(names.SCOPE),
        meter=meter,
        logger=logger_provider.get_logger(names.SCOPE),
        settings=settings,
        propagator=propagator,
    )
    if isinstance(meter_provider, MeasuringMeterProvider):
        meter_provider.publish(made.cells, made.use)
    if isinstance(tracer_provider, HopTracerProvider):
        tracer_provider.publish(made.start_by)
    hops.configure(made)
    unreport = breakers.report(made)
    propagate.set_global_textmap(propagator)
    bridged = bridge.Bridge()
    watch(sagas.stamp, lambda span: None)
    watch(bridged.on_start, bridged.on_end)
    atexit.register(loops.stop_all)  # after the providers', so it runs before their last flush
    try:
        uninstall = integrations.install(settings, tracer_provider, meter_provider)
    except BaseException:
        put_back()
        raise

    def undo() -> None:
        uninstall()
        put_back()

    return undo
