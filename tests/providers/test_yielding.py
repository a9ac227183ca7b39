"""An application that sets its own providers after the kit keeps them: ours give way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_kit
from otel_kit import hops, names
from otel_kit._instrument import instrument
from otel_kit._providers import api_globals
from tests.providers.conftest import outcome
from tests.providers.sink import WAIT, Sink
from tests.providers.telemetry import MANUAL
from tests.providers.test_run import THROUGH, Program

pytestmark = pytest.mark.usefixtures("kits")
OWN_SET_UP = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
tracer = trace.get_tracer("app")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(
    ConsoleSpanExporter(formatter=lambda span: f"got {span.name}\\n")))
trace.set_tracer_provider(provider)
assert trace.get_tracer_provider() is provider
with tracer.start_as_current_span("work"):
    pass
"""


class Application:
    """The application's own set-up of OpenTelemetry."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.logs = InMemoryLogRecordExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.logs))

    def set_up(self) -> None:
        """As an application does it."""
        trace.set_tracer_provider(self.tracers)
        metrics.set_meter_provider(self.meters)
        _logs.set_logger_provider(self.loggers)

    def spans(self) -> list[str]:
        """The names of those its exporter got."""
        return [span.name for span in self.exporter.get_finished_spans()]

    def values(self, metric: str) -> list[float]:
        """What its reader knows of a counter or a gauge."""
        data = self.reader.get_metrics_data()
        return [
            point.value  # type: ignore[union-attr]
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]


@pytest.fixture
def application() -> Iterator[Application]:
    """Not set up yet."""
    application = Application()
    yield application
    api_globals.withdraw(application.tracers, application.meters, application.loggers)


@pytest.fixture(autouse=True)
def collector(environment: Callable[..., dict[str, str]], sink: Sink) -> None:
    """The kit's own collector."""
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, **MANUAL)


def test_run_keeps_the_programs_providers(program: Program, sink: Sink) -> None:
    """A program under otel-kit run that sets its own tracer provider exports as it would alone."""
    process = program(OWN_SET_UP, through=THROUGH, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert outcome(process) == (0, "got work\n", "")
    assert sink.names() == []


def test_everything_goes_to_the_application(application: Application, sink: Sink) -> None:
    """Hops, sagas, steps and metrics go to the application's providers from then on."""
    kit = instrument("orders")
    application.set_up()
    assert trace.get_tracer_provider() is application.tracers
    with otel_kit.serve(otel_kit.rpc_call("orders.Orders/Place", carrier={})) as hop:
        with otel_kit.saga("order-17"), otel_kit.step("reserve"):
            pass
        assert hop.span.is_recording()
    assert application.spans() == ["reserve", "orders.Orders/Place"]
    step = application.exporter.get_finished_spans()[0]
    assert (step.attributes or {})[names.SAGA_ID] == "order-17"
    (event,) = application.logs.get_finished_logs()
    assert event.log_record.event_name == names.EVENT_STEP_STARTED
    assert application.values(names.SAGA_STARTED) == [1]
    assert kit.flush(WAIT)
    assert sink.spans() == []


def test_spans_of_others_are_measured(application: Application) -> None:
    """The kit's span processors are on the application's provider, and off it after a shutdown."""
    processors = application.tracers._active_span_processor
    kit = instrument("orders")
    application.set_up()
    assert len(processors._span_processors) > 1
    with otel_kit.saga("order-17"), trace.get_tracer("app").start_as_current_span("work"):
        pass
    (span,) = application.exporter.get_finished_spans()
    assert (span.attributes or {})[names.SAGA_ID] == "order-17"
    assert kit.shutdown(WAIT)
    assert len(processors._span_processors) == 1
    assert trace.get_tracer_provider() is application.tracers
    assert hops.current() is None


def test_what_was_handed_out_before_follows(application: Application, sink: Sink) -> None:
    """Tracers, loggers and instruments that a module got before lead to the application's."""

    def observe(options: CallbackOptions) -> list[Observation]:
        return [Observation(7)]

    instrument("orders")
    tracer, logger = trace.get_tracer("app"), _logs.get_logger("app")
    meter = metrics.get_meter("app")
    counter = meter.create_counter("orders")
    meter.create_observable_gauge("stock", [observe])
    application.set_up()
    counter.add(2)
    meter.create_counter("orders").add(1)
    logger.emit(_logs.LogRecord(body="hello"))
    with tracer.start_as_current_span("work"):
        pass
    assert application.spans() == ["work"]
    assert application.values("orders") == [3]
    assert application.values("stock") == [7]
    assert len(application.logs.get_finished_logs()) == 1
    assert sink.spans() == []


def test_nothing_recorded_before_is_lost(application: Application, sink: Sink) -> None:
    """What was recorded before, and a span under way, still arrive where they were to go."""
    kit = instrument("orders")
    counter = metrics.get_meter("app").create_counter("orders")
    counter.add(2)
    with trace.get_tracer("app").start_as_current_span("before"):
        application.set_up()
    counter.add(1)
    assert kit.flush(WAIT)
    assert sink.names() == ["before"]
    assert [value for _, _, value in sink.points("orders")] == [2]
    assert application.values("orders") == [1]
    assert kit.lost() == {}


def test_edge_metrics_go_over_too(application: Application, sink: Sink) -> None:
    """A hop counts where the metrics went at its end, and in one place only."""

    def serve() -> None:
        with otel_kit.serve(otel_kit.rpc_call("orders.Orders/Place", carrier={})):
            pass

    kit = instrument("orders")
    serve()
    serve()
    with otel_kit.serve(otel_kit.rpc_call("orders.Orders/Place", carrier={})):
        application.set_up()
    assert kit.flush(WAIT)
    assert [value for _, _, value in sink.points(names.PROPAGATION_MESSAGES)] == [2]
    assert application.values(names.PROPAGATION_MESSAGES) == [1]
    serve()
    assert application.values(names.PROPAGATION_MESSAGES) == [2]


def test_edge_metrics_of_an_application_that_came_first(application: Application) -> None:
    """They are in instruments of its own provider, so that its views apply."""
    application.set_up()
    instrument("orders")
    with otel_kit.serve(otel_kit.rpc_call("orders.Orders/Place", carrier={})):
        pass
    assert application.values(names.PROPAGATION_MESSAGES) == [1]


def test_second_setting_is_refused(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    """The application may set its provider once, as without the kit."""
    instrument("orders")
    trace.set_tracer_provider(trace.get_tracer_provider())
    trace.set_tracer_provider(application.tracers)
    assert "not allowed" not in caplog.text
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    assert trace.get_tracer_provider() is application.tracers
    assert "Overriding of current TracerProvider is not allowed" in caplog.text


def test_making_an_instrument_again_takes_no_room() -> None:
    """An instrument that is made anew for each measurement is kept once."""
    instrument("orders")
    meter = metrics.get_meter("app")
    for _ in range(100):
        meter.create_counter("orders").add(1)
    assert len(meter._instruments._kept) == 1  # type: ignore[attr-defined]


def test_cycles_leave_nothing_behind(application: Application) -> None:
    """instrument() and shutdown() again and again leave the application's provider as it was."""
    application.set_up()
    before = application.tracers._active_span_processor._span_processors
    for _ in range(5):
        instrument("orders").shutdown(WAIT)
    assert application.tracers._active_span_processor._span_processors == before
