"""OTEL_PROPAGATORS, and what the application has made the global propagator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator

import otel_kit
from otel_kit._instrument import instrument
from otel_kit.hops.propagation import Propagator
from tests.providers.sink import Sink

pytestmark = pytest.mark.usefixtures("kits")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Tenant(TextMapPropagator):
    """A propagator of the application's own."""

    fields = {"x-tenant"}  # noqa: RUF012 - as the API has it

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        """One header."""
        setter.set(carrier, "x-tenant", "blue")

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Context:
        """It becomes baggage."""
        (tenant,) = getter.get(carrier, "x-tenant") or [""]
        return baggage.set_baggage("tenant", tenant, context)


@pytest.fixture(autouse=True)
def collector(environment: Callable[..., dict[str, str]], sink: Sink) -> None:
    """Where telemetry goes."""
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)


@pytest.fixture
def tenant() -> Iterator[None]:
    """The application has set it, beside W3C's."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([before, Tenant()]))
    yield
    propagate.set_global_textmap(before)


def sent() -> set[str]:
    """The headers that a call within a saga carries."""
    seen: dict[str, str] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen.update(request.headers)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client, otel_kit.saga("order-17"):
        client.get("http://billing/")
    return seen.keys() & {"traceparent", "tracestate", "baggage", "b3", "x-tenant"}


@pytest.mark.parametrize(
    ("propagators", "headers"),
    [
        ("tracecontext,baggage", {"traceparent", "tracestate", "baggage"}),
        ("tracecontext", {"traceparent", "tracestate"}),
        ("baggage", {"baggage"}),
        ("none", set()),
    ],
)
def test_only_what_is_named_is_sent(
    environment: Callable[..., dict[str, str]], propagators: str, headers: set[str]
) -> None:
    """A call carries the headers of the propagators that OTEL_PROPAGATORS names, and no others."""
    environment(OTEL_PROPAGATORS=propagators)
    instrument("orders")
    assert sent() == headers
    assert propagate.get_global_textmap().fields == headers


def test_only_what_is_named_is_read() -> None:
    """With none of them, an inbound trace is not continued, and its baggage is not taken."""
    instrument("orders", propagators=["none"])
    carrier = {"traceparent": TRACEPARENT, "baggage": "saga.id=order-17"}
    with otel_kit.serve(otel_kit.rpc_call("orders.Orders/Place", carrier=carrier)) as hop:
        assert hop.span.get_span_context().trace_id != int(TRACEPARENT[3:35], 16)
        assert otel_kit.current_saga() is None


@pytest.mark.usefixtures("tenant")
def test_the_applications_own_goes_on() -> None:
    """A propagator the application had set writes and reads beside W3C's, each of them once."""
    instrument("orders")
    assert sent() == {"traceparent", "tracestate", "baggage", "x-tenant"}
    carrier = {"traceparent": TRACEPARENT, "x-tenant": "red"}
    with otel_kit.serve(otel_kit.rpc_call("orders.Orders/Place", carrier=carrier)):
        assert baggage.get_baggage("tenant") == "red"
        span = trace.get_current_span().get_span_context()
        assert span.trace_id == int(TRACEPARENT[3:35], 16)


@pytest.mark.usefixtures("tenant")
def test_none_is_none() -> None:
    """OTEL_PROPAGATORS=none stops the application's own too."""
    instrument("orders", propagators=["none"])
    assert sent() == set()


def test_a_propagator_set_later_stays() -> None:
    """A global propagator the application sets after the kit is still there after a shutdown."""
    before, mine = propagate.get_global_textmap(), Tenant()
    kit = instrument("orders")
    propagate.set_global_textmap(mine)
    kit.shutdown(0)
    assert propagate.get_global_textmap() is mine
    propagate.set_global_textmap(before)


def test_another_one_alone() -> None:
    """Where only another propagator is named, no W3C header of the kit's goes with it."""
    carrier: dict[str, str] = {}
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))):
        Propagator("orders", [Tenant()], []).inject(carrier)
    assert carrier == {"x-tenant": "blue"}
