"""The contract of everything that sends requests: when they fail."""

import asyncio
import contextlib

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing.contract.base import Behaviour, ClientHarness
from otel_kit.testing.contract.measures import called, durations, error_type
from otel_kit.testing.contract.subject import Subject

Harness = type[ClientHarness]
CLIENT = SpanKind.CLIENT


@pytest.mark.own
async def test_a_failure_after_an_answer_counts_for_the_same_server(
    subject: Subject, harness: Harness
) -> None:
    """Who answered at an address before is taken for its server when it does not answer."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            client.server_timing = 'otelkit;desc="billing";dur=1'
            await client.request(Behaviour.OK)
            with pytest.raises(harness.timeout_error):
                await client.request(Behaviour.SILENT, timeout=0.1)

    assert called(telemetry, harness, server="billing", error_class="timeout") == 1


ERRORS = {
    Behaviour.CLIENT_ERROR: "client_error",
    Behaviour.SERVER_ERROR: "server_error",
    Behaviour.THROTTLED: "throttled",
}


@pytest.mark.parametrize("behaviour", ERRORS)
async def test_an_error_answer_is_an_error(
    subject: Subject, harness: Harness, behaviour: Behaviour
) -> None:
    """The span's status is ERROR with an error.type, and the duration tells the failure."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await refused(client, behaviour)

    span = telemetry.span(kind=CLIENT)
    assert names.ERROR_TYPE in (span.attributes or {})
    assert StatusCode.ERROR is span.status.status_code
    assert error_type(durations(telemetry, harness.transport, "client")) is not None


@pytest.mark.own
@pytest.mark.parametrize("behaviour", ERRORS)
async def test_an_error_answer_is_classed(
    subject: Subject, harness: Harness, behaviour: Behaviour
) -> None:
    """Span and edge have the error's class, one vocabulary over all transports."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await refused(client, behaviour)

    attributes = telemetry.span(kind=CLIENT).attributes or {}
    assert ERRORS[behaviour] == attributes[names.SPAN_ERROR_CLASS]
    assert called(telemetry, harness, error_class=ERRORS[behaviour]) == 1


async def refused(client: ClientHarness, behaviour: Behaviour) -> None:
    """A request that is answered by an error, for which some libraries raise."""
    with contextlib.suppress(Exception):
        await client.request(behaviour)
    assert client.seen


async def test_a_timeout_is_raised_and_an_error(subject: Subject, harness: Harness) -> None:
    """The library's own exception arrives, and the span's status is ERROR."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            with pytest.raises(harness.timeout_error):
                await client.request(Behaviour.SILENT, timeout=0.1)

    assert StatusCode.ERROR is telemetry.span(kind=CLIENT).status.status_code


async def test_a_duration_is_recorded_when_the_call_times_out(
    subject: Subject, harness: Harness
) -> None:
    """A request that nobody answers is measured, and the measurement tells that it failed."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            with pytest.raises(harness.timeout_error):
                await client.request(Behaviour.SILENT, timeout=0.1)

    points = durations(telemetry, harness.transport, "client")
    assert [point.count for point in points] == [1]
    assert error_type(points) is not None


async def test_a_duration_is_recorded_when_the_call_raises(
    subject: Subject, harness: Harness
) -> None:
    """A refused connection is measured, and the measurement tells that it failed."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            with pytest.raises(harness.connection_error):
                await client.unreachable()

    points = durations(telemetry, harness.transport, "client")
    assert [point.count for point in points] == [1]
    assert error_type(points) is not None


@pytest.mark.own
async def test_a_call_that_raises_is_classed(subject: Subject, harness: Harness) -> None:
    """A timeout and a refused connection count under classes that say so."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            with pytest.raises(harness.timeout_error):
                await client.request(Behaviour.SILENT, timeout=0.1)
            with pytest.raises(harness.connection_error):
                await client.unreachable()

    points = telemetry.points(names.HOP_DURATION, client="tested", side="client")
    classes = {str(point.labels["error_class"]) for point in points}
    assert sum(point.count for point in points) == 2
    assert classes in ({"timeout", "connection"}, {"timeout", "unavailable"})


async def test_a_cancelled_call_is_recorded(subject: Subject, harness: Harness) -> None:
    """A cancelled call ends its span and is measured."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await cancelled(client, harness)

    assert len(telemetry.matching(kind=CLIENT)) == 1
    assert [p.count for p in durations(telemetry, harness.transport, "client")] == [1]


@pytest.mark.own
async def test_cancellation_is_cancelled(subject: Subject, harness: Harness) -> None:
    """A cancelled call ends its hop with class cancelled, and is no error of the span."""
    with subject.record(harness.library) as telemetry:
        async with harness() as client:
            await cancelled(client, harness)

    error_class = (telemetry.span(kind=CLIENT).attributes or {})[names.SPAN_ERROR_CLASS]
    assert error_class == client.cancelled_class


async def cancelled(client: ClientHarness, harness: Harness) -> None:
    """A request whose task is cancelled when the server has it."""
    asked = asyncio.Event()
    client.on_seen = asked.set
    task = asyncio.create_task(client.request(Behaviour.SILENT, timeout=1))
    await asked.wait()
    task.cancel()
    with pytest.raises((asyncio.CancelledError, harness.timeout_error)):
        await task
    await client.settled()
