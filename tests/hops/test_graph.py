"""Grafana's service graph: every hop is counted once, whichever of its sides can."""

import time

import pytest

import otel_kit
from otel_kit import ErrorClass, Hop, names
from otel_kit.testing import Telemetry, capture

BANK = "10.0.0.1:80"
FAILED = [each for each in ErrorClass if each not in ("client_error", "business", "cancelled")]


class Failure(Exception):
    """An application's exception, classed as each test needs it."""


def request() -> Hop:
    return otel_kit.http_request("POST", carrier={}, scheme="http", host="10.0.0.1", port=80)


def counted(telemetry: Telemetry, **labels: str) -> tuple[int, int]:
    """Requests and failures of the pair."""
    count = telemetry.count
    return count(names.GRAPH_REQUESTS, **labels), count(names.GRAPH_FAILED, **labels)


def test_the_caller_leaves_counting_to_a_server_that_said_who_it_is() -> None:
    """Its own duration of the call is recorded all the same."""
    with capture("billing") as telemetry, otel_kit.call(request()) as hop:
        hop.answered('otelkit;desc="bank";dur=1')

    assert counted(telemetry) == (0, 0)
    pair = {"client": "billing", "server": "bank", "connection_type": ""}
    assert telemetry.count(names.GRAPH_CLIENT, **pair) == 1


@pytest.mark.parametrize(("status", "failures"), [(200, 0), (404, 0), (500, 1)])
def test_the_caller_counts_for_a_server_without_the_kit(status: int, failures: int) -> None:
    """Nobody else would; a server's error is a failure and a client's mistake is none."""
    with capture("billing") as telemetry, otel_kit.call(request()) as hop:
        hop.status(status)

    assert counted(telemetry, client="billing", server=BANK) == (1, failures)


@pytest.mark.parametrize(
    ("error", "requests"), [(TimeoutError("late"), 0), (ConnectionError("refused"), 1)]
)
def test_a_call_given_up_is_left_to_the_server_that_may_be_at_work(
    error: Exception, requests: int
) -> None:
    """A known server counts what timed out; what never reached it is counted by the caller."""
    with capture("billing") as telemetry:
        with otel_kit.call(request()) as hop:
            hop.answered('otelkit;desc="bank";dur=1')
        with pytest.raises(type(error)), otel_kit.call(request()):
            raise error

    assert counted(telemetry) == (requests, requests)


def test_the_server_counts_what_it_serves() -> None:
    """Also the requests of callers that it does not know."""
    with capture("bank") as telemetry, otel_kit.serve(request()):
        pass

    pair = {"client": "unknown", "server": "bank", "connection_type": ""}
    assert counted(telemetry, **pair) == (1, 0)
    assert telemetry.count(names.GRAPH_SERVER, **pair) == 1


@pytest.mark.parametrize("error_class", ErrorClass)
def test_what_counts_as_failed(error_class: ErrorClass) -> None:
    """Every error class but the caller's mistake, the business's answer and a cancellation."""
    otel_kit.classify_as(error_class, Failure)
    with capture("bank") as telemetry, pytest.raises(Failure), otel_kit.serve(request()):
        raise Failure

    assert counted(telemetry) == (1, int(error_class in FAILED))


def test_a_message_is_counted_by_who_handles_it() -> None:
    """With its wait; its sender counts only what it could not send."""
    headers: dict[str, str] = {}
    with capture("orders") as telemetry:
        with otel_kit.send(otel_kit.outgoing("kafka", "commands", carrier=headers)):
            pass
        assert counted(telemetry) == (0, 0)
        with (
            pytest.raises(ConnectionError),
            otel_kit.send(otel_kit.outgoing("kafka", "commands", carrier={})),
        ):
            raise ConnectionError("no broker")
        assert counted(telemetry, server="kafka", connection_type="messaging_system") == (1, 1)
    received = otel_kit.incoming("kafka", "commands", carrier=headers, sent_at=time.time())
    with capture("inventory") as telemetry, otel_kit.process(received):
        pass

    pair = {"client": "orders", "server": "inventory", "connection_type": "messaging_system"}
    assert counted(telemetry, **pair) == (1, 0)
    assert telemetry.count(names.GRAPH_MESSAGING, **pair) == 1
    assert telemetry.count(names.GRAPH_SERVER, **pair) == 1


def test_the_service_graph_can_be_switched_off() -> None:
    """`OTEL_KIT_SERVICE_GRAPH=false` leaves the edges."""
    with capture("bank", service_graph=False) as telemetry, otel_kit.serve(request()):
        pass

    assert counted(telemetry) == (0, 0)
    assert telemetry.count(names.GRAPH_SERVER) == 0
    assert telemetry.count(names.HOP_DURATION) == 1
