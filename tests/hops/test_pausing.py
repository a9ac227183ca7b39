"""A hop that is current in steps, as that of a generator is."""

from collections.abc import Iterator

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode

from otel_kit import names
from otel_kit.hops import Hop, call, rpc_call, serve
from otel_kit.testing import Telemetry, capture


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """The core alone."""
    with capture("tested", integrations=("grpc",)) as telemetry:
        yield telemetry


def test_a_paused_hop_leaves_no_context(telemetry: Telemetry) -> None:
    """Between two steps the context is the surrounding one; the hop goes on."""
    before = context.get_current()
    hop = serve(Hop(system="test", operation="work")).__enter__()
    hop.pause()
    assert before is context.get_current()
    hop.resume()
    assert hop.span is trace.get_current_span()
    hop.pause()
    hop.end()
    assert before is context.get_current()
    assert telemetry.count(names.HOP_DURATION, operation="work") == 1


def test_what_was_current_in_a_hop_is_current_again(telemetry: Telemetry) -> None:
    """A span that the handler opened before a pause is the current one after it."""
    tracer = telemetry.tracer_provider.get_tracer("app")
    hop = serve(Hop(system="test", operation="work")).__enter__()
    with tracer.start_as_current_span("inner") as inner:
        hop.pause()
        assert not trace.get_current_span().get_span_context().is_valid
        hop.resume()
        assert inner is trace.get_current_span()
    assert hop.span is trace.get_current_span()
    hop.leave()
    hop.end()


def test_a_hop_that_never_began_can_be_paused() -> None:
    """Where telemetry is off, pausing and resuming do nothing."""
    before = context.get_current()
    hop = serve(Hop(system="test", operation="work")).__enter__()
    hop.pause()
    hop.resume()
    hop.end()
    assert before is context.get_current()


def test_a_status_in_words_describes_the_span(telemetry: Telemetry) -> None:
    """What the transport says of a failure is the description of the span's status."""
    with call(rpc_call("shop.Orders/Place", carrier={})) as hop:
        hop.status("UNAVAILABLE", "connection refused")
    status = telemetry.span().status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "connection refused")


def test_an_unknown_address_is_not_learned(telemetry: Telemetry) -> None:
    """Who answers a call that leads nobody knows where is not taken for the server of the next."""
    with call(rpc_call("shop.Orders/Place", carrier={})) as hop:
        hop.answered('otelkit;desc="billing";dur=1')
    with call(rpc_call("shop.Orders/Place", carrier={})):
        pass
    assert telemetry.count(names.HOP_DURATION, server="unknown") == 1
