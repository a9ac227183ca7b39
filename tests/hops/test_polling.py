"""What a poll returns, handled by `process()`: one message, several, or nothing."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import Hop, names
from otel_kit.testing import Telemetry, capture

KINDS = ["mail", "mail", "letter"]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """With an integration that knows messages of its own."""
    import aiokafka  # noqa: F401

    with capture("worker", integrations=["aiokafka"]) as telemetry:
        yield telemetry


def job(kind: str = "mail", saga: str = "o-1") -> Hop:
    """One that an instrumented application has stored."""
    headers: dict[str, str] = {}
    with otel_kit.saga(saga), otel_kit.send(otel_kit.outgoing("jobs", kind, carrier=headers)):
        return otel_kit.incoming("jobs", kind, carrier=headers)


def consumed(telemetry: Telemetry) -> list[ReadableSpan]:
    return telemetry.matching(kind=SpanKind.CONSUMER)


@pytest.mark.parametrize("found", [None, [], (), {}, frozenset()])
def test_an_empty_poll_makes_no_span(
    found: Any, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor an edge, nor a line in the log, and the block is in no other context."""
    before, ran = context.get_current(), []
    with caplog.at_level(logging.DEBUG), otel_kit.process(found) as hop:
        ran.append(context.get_current() == before)

    assert ran == [True]
    assert (hop.span, telemetry.spans, caplog.records) == (None, [], [])
    assert telemetry.points(names.HOP_DURATION) == []


def test_an_error_of_an_empty_poll_is_the_applications(telemetry: Telemetry) -> None:
    """It is raised on, and is nobody's hop."""
    with pytest.raises(KeyError), otel_kit.process([]):
        raise KeyError

    assert telemetry.spans == []


def test_what_is_no_message_is_said(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """Something was found, and nobody knows what it is."""
    with otel_kit.process({"not": "a message"}):
        pass

    assert "knows no dict" in caplog.text


def test_a_job_is_handled_in_the_trace_of_its_sender(telemetry: Telemetry) -> None:
    """A hand-made poller says what it handles, and has the saga too."""
    found = job()
    [sent] = telemetry.spans
    with otel_kit.process(found):
        assert otel_kit.current_saga() == otel_kit.Saga("o-1", "saga")
    [handled] = consumed(telemetry)

    assert handled.parent is not None
    assert handled.parent.span_id == (sent.context and sent.context.span_id)


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_links_to_every_sender(count: int, telemetry: Telemetry) -> None:
    """It is in no sender's trace or saga, also if it is one of one; each job has its own edge."""
    found = [job(kind, f"o-{n}") for n, kind in enumerate(KINDS[:count])]
    sent = [span.context.span_id for span in telemetry.spans if span.context]
    with otel_kit.process(found):
        assert otel_kit.current_saga() is None
        assert trace.get_current_span().is_recording()
    [handled] = consumed(telemetry)

    assert handled.parent is None
    assert [link.context.span_id for link in handled.links] == sent
    assert telemetry.count(names.HOP_DURATION, side="consumer", client="worker") == count
    assert telemetry.count(names.QUEUE_DURATION, destination="mail") == KINDS[:count].count("mail")
