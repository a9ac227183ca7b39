"""Which hop the code at hand runs in, and what it may say of it."""

from contextlib import nullcontext

import pytest
from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import Hop, names
from otel_kit.hops.around import serving
from otel_kit.hops.http import CONVENTION
from otel_kit.testing import capture

ASKED = Hop(system="http", operation="POST /graphql", convention=CONVENTION)
MESSAGE = Hop(system="kafka", operation="process orders")


def test_what_a_request_calls_is_within_it() -> None:
    """Also within a call of its own, but not while it handles a message, or when it is over."""
    with capture():
        assert serving() is None
        with otel_kit.serve(ASKED) as hop:
            with otel_kit.call(MESSAGE):
                assert serving() is hop
            with otel_kit.process(MESSAGE):
                assert serving() is None
            later = get_current()
        token = attach(later)  # as a task has it that the request has left behind
        assert serving() is None
        detach(token)


@pytest.mark.parametrize(
    ("performed", "name", "kept"),
    [
        (["query A", "query A"], "query A", True),
        (["query A", "query B"], "POST /graphql", False),
        (["query A", "query B", "query A"], "POST /graphql", False),
    ],
)
def test_an_operation_names_the_hop_unless_there_are_several(
    performed: list[str], name: str, kept: bool
) -> None:
    """Whenever the route becomes known; attributes of one operation do not speak for all."""
    with capture() as telemetry, otel_kit.serve(ASKED) as hop:
        for operation in performed:
            hop.performs(operation, {names.GRAPHQL_OPERATION_NAME: operation})
        hop.routed("POST /graphql", {names.HTTP_ROUTE: "/graphql"})

    attributes = telemetry.span().attributes or {}
    assert telemetry.span().name == name
    assert telemetry.count(names.HOP_DURATION, operation=name) == 1
    assert attributes[names.HTTP_ROUTE] == "/graphql"
    assert (names.GRAPHQL_OPERATION_NAME in attributes) == kept


@pytest.mark.parametrize("raised", [None, LookupError("raised")])
def test_an_answer_may_tell_an_error(raised: Exception | None) -> None:
    """Whatever its status, what failed further down is the server's; what is raised goes before."""
    expected = pytest.raises(LookupError) if raised else nullcontext()
    with capture() as telemetry, expected, otel_kit.serve(ASKED) as hop:
        hop.status(200)
        hop.tells(TimeoutError("told"))
        if raised is not None:
            raise raised

    span = telemetry.span(kind=SpanKind.SERVER)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.ERROR_TYPE] == type(raised or TimeoutError()).__name__
    assert telemetry.count(names.HOP_DURATION, error_class="server_error") == 1
