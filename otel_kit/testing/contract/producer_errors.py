"""The contract of everything that sends messages: when the library or the broker refuses."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing.contract.measures import edge
from otel_kit.testing.contract.messaging import ProducerHarness, named
from otel_kit.testing.contract.only import only
from otel_kit.testing.contract.subject import Subject

Harness = type[ProducerHarness]
PRODUCER = SpanKind.PRODUCER


@only(lambda harness: harness.headers_are_lists)
async def test_a_tuple_of_headers_is_what_the_library_makes_of_it(
    subject: Subject, harness: Harness
) -> None:
    """Sent with its context where the library takes a tuple, else refused in its own words."""
    async with harness() as producer:
        tuple_of_headers = tuple(producer.native_headers({"x-own": "1"}))
        said = await refusal(producer, tuple_of_headers)
        with subject.record(harness.library):
            assert await refusal(producer, tuple_of_headers) == said

    if said is None:
        _, headers = await producer.received(2)
        assert len(named(headers, "traceparent")) == 1


async def test_bad_headers_raise_what_the_library_raises(
    subject: Subject, harness: Harness
) -> None:
    """Headers that are no headers at all meet the library's own exception."""
    async with harness() as producer:
        said = await refusal(producer, 5)
        with subject.record(harness.library, strict=False):
            assert await refusal(producer, 5) == said

    assert said is not None


async def refusal(producer: ProducerHarness, headers: object) -> str | None:
    """What the library says to these headers."""
    try:
        await producer.send(headers=headers)
    except (TypeError, ValueError, AttributeError, producer.unsendable[1]) as error:
        return f"{type(error).__name__}: {error}"
    return None


async def test_a_refused_message_is_an_error(subject: Subject, harness: Harness, why: str) -> None:
    """A message that the broker refuses ends its span as an error, with the error's type."""
    cluster = harness.brokers.alone()
    with subject.record(harness.library) as telemetry:
        async with harness(cluster) as producer:
            error = await producer.send_refused(why)

    span = telemetry.span(kind=PRODUCER)
    assert span.status.status_code is StatusCode.ERROR
    assert type(error).__name__ in str((span.attributes or {})[names.ERROR_TYPE])
    cluster.close()


@pytest.mark.own
async def test_a_refused_message_is_classed(subject: Subject, harness: Harness, why: str) -> None:
    """The edge tells a message that is wrong from a broker that does not keep up."""
    cluster = harness.brokers.alone()
    with subject.record(harness.library) as telemetry:
        async with harness(cluster) as producer:
            await producer.send_refused(why)

    assert edge(telemetry, harness.transport, "producer", error_class=harness.refusals[why]) == 1
    cluster.close()


async def test_a_send_that_raises_is_recorded(subject: Subject, harness: Harness) -> None:
    """A value that cannot be sent raises the library's exception, and its span is an error."""
    with subject.record(harness.library) as telemetry:
        async with harness() as producer:
            value, error = harness.unsendable
            with pytest.raises(error):
                await producer.send(value=value)

    assert telemetry.span(kind=PRODUCER).status.status_code is StatusCode.ERROR
