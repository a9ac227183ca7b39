"""`dead_letter()` and `duplicate()`: what is told of messages that are put aside, or skipped."""

from collections.abc import Iterator
from typing import Any

import pytest
import tenacity
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import ErrorClass, Hop, names
from otel_kit.hops.carriers import Pairs
from otel_kit.testing import Telemetry, capture

Headers = list[tuple[str, Any]]
ORIGIN = "otelkit-origin-traceparent"


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("billing") as telemetry:
        yield telemetry


def sent(topic: str = "commands", headers: Headers | None = None) -> Headers:
    """The headers of a message after an instrumented producer has sent it."""
    pairs = list(headers or [("kind", b"Charge")])
    with otel_kit.send(otel_kit.outgoing("kafka", topic, carrier=Pairs(pairs))):
        return pairs


def received(headers: Headers, topic: str = "commands") -> Hop:
    return otel_kit.incoming("kafka", topic, carrier=Pairs(list(headers)), group="billing")


def text(headers: Headers, name: str) -> str:
    return dict(headers)[name].decode()


def test_the_first_life_is_kept(telemetry: Telemetry) -> None:
    """The headers are the message's own, and the context with which it was first sent."""
    first = sent()
    with otel_kit.process(received(first)):
        dead = otel_kit.dead_letter(received(first), ValueError("no"))

    assert dead[: len(first)] == first
    assert text(dead, ORIGIN) == text(first, "traceparent")
    assert text(dead, "otelkit-origin-tracestate") == text(first, "tracestate")
    assert text(dead, "otelkit-origin-destination") == "commands"


def test_it_is_counted_and_marked(telemetry: Telemetry) -> None:
    """By where it came from and why; the reason stands on the span of its hop."""
    with otel_kit.process(received(sent())) as hop, otel_kit.saga("o-1"), otel_kit.step("charge"):
        otel_kit.dead_letter(hop.hop, UnicodeError("not a message"))
    span = telemetry.span(kind=SpanKind.CONSUMER)
    [point] = telemetry.points(names.DEAD_LETTERS)

    assert (span.attributes or {})[names.SPAN_DEAD_LETTER] == "UnicodeError: not a message"
    assert point.labels == {"destination": "commands", "error_class": "serialization"}
    assert point.count == 1


@pytest.mark.parametrize(
    ("reason", "error_class"),
    [
        (TimeoutError(), "timeout"),
        (ValueError(), "server_error"),
        (ErrorClass.BUSINESS, "business"),
        ("five attempts", "unknown"),
    ],
)
def test_the_reason_has_a_class(reason: Any, error_class: str, telemetry: Telemetry) -> None:
    """An exception's, one that is told, or none that is known."""
    dead = otel_kit.dead_letter(received(sent()), reason)

    assert telemetry.count(names.DEAD_LETTERS, error_class=error_class) == 1
    assert text(dead, "otelkit-attempts").endswith(f":billing:{error_class}")


def test_a_redriven_message_links_to_its_first_life(telemetry: Telemetry) -> None:
    """However it came back, its CONSUMER span has a link to the span that first sent it."""
    first = sent()
    dead = sent("commands.dlq", otel_kit.dead_letter(received(first), TimeoutError()))
    back = sent("commands", dead)
    with otel_kit.process(received(back)):
        pass
    span = telemetry.span(kind=SpanKind.CONSUMER)
    [link] = span.links
    origin = telemetry.matching("send commands")[0]

    assert link.context.span_id == (origin.context and origin.context.span_id)
    assert (link.attributes or {})[names.SPAN_REDRIVEN] == 1
    assert (span.attributes or {})[names.SPAN_REDRIVEN] == 1


def test_a_batch_links_to_the_first_lives(telemetry: Telemetry) -> None:
    """A redriven message among others is linked to as well as its sender."""
    dead = sent("commands", otel_kit.dead_letter(received(sent()), TimeoutError()))
    with otel_kit.process([received(sent()), received(dead)]):
        pass
    links = telemetry.span(kind=SpanKind.CONSUMER).links

    assert [bool(link.attributes) for link in links].count(True) == 1
    assert len(links) == 3


def test_the_history_grows_with_every_life(telemetry: Telemetry) -> None:
    """A message put aside again keeps its first origin, and adds to its attempts, up to twenty."""
    first = sent()
    headers = first
    for _ in range(30):
        headers = sent("commands", otel_kit.dead_letter(received(headers), TimeoutError()))
    attempts = text(headers, "otelkit-attempts").split(",")

    assert text(headers, ORIGIN) == text(first, "traceparent")
    assert len(attempts) == 20
    assert [name for name, _ in headers].count("otelkit-attempts") == 1


def test_the_attempts_of_a_retried_call_are_told(telemetry: Telemetry) -> None:
    """The exception with which tenacity gave up knows how often it was tried."""

    def handle() -> None:
        raise ConnectionError

    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(3))
    with pytest.raises(tenacity.RetryError) as caught:
        retrying(handle)
    dead = otel_kit.dead_letter(received(sent()), caught.value)
    attempts = text(dead, "otelkit-attempts").split(",")

    assert [each.split(":")[1:] for each in attempts] == [["billing", "connection"]] * 3
    assert telemetry.count(names.DEAD_LETTERS, error_class="connection") == 1


def test_a_message_without_context_gets_that_of_its_handling(telemetry: Telemetry) -> None:
    """Its first life is then where it was first seen."""
    with otel_kit.process(received([])) as hop:
        dead = otel_kit.dead_letter(hop.hop, TimeoutError())
        assert hop.span is not None
        span_id = f"{hop.span.get_span_context().span_id:016x}"

    assert text(dead, ORIGIN).split("-")[2] == span_id


@pytest.mark.parametrize(
    "hostile",
    [
        [(ORIGIN, b"\xff\xfe"), ("otelkit-attempts", b"\x00" * 9000)],
        [(ORIGIN, b"00-0-0-0"), ("otelkit-attempts", b",,,,")],
        [(ORIGIN, b"x" * 100_000)],
        [("otelkit-origin-destination", "späte".encode()), ("traceparent", b"x" * 5000)],
    ],
)
def test_headers_are_not_trusted(hostile: Headers, telemetry: Telemetry) -> None:
    """What a stranger wrote there costs neither the handler nor the dead letter."""
    with otel_kit.process(received(hostile)) as hop:
        dead = otel_kit.dead_letter(hop.hop, TimeoutError())

    assert [pair for pair in hostile if pair[0] not in dict(dead)] == []
    assert telemetry.span(kind=SpanKind.CONSUMER).links == ()


def test_without_telemetry_the_headers_are_the_messages_own() -> None:
    """An application that is not instrumented puts messages aside as ever."""
    hop = received([("kind", b"Charge")])

    assert otel_kit.dead_letter(hop, TimeoutError()) == [("kind", b"Charge")]
    assert otel_kit.dead_letter(object(), "why not") == []


def test_a_duplicate_is_marked_and_counted(telemetry: Telemetry) -> None:
    """The message in hand, whatever step it is in, or the one that is given."""
    with otel_kit.process(received(sent())), otel_kit.saga("o-1"), otel_kit.step("charge"):
        otel_kit.duplicate()
    otel_kit.duplicate(received([], "facts"))
    span = telemetry.span(kind=SpanKind.CONSUMER)

    assert (span.attributes or {})[names.SPAN_DUPLICATE] is True
    assert telemetry.count(names.DUPLICATES, destination="commands") == 1
    assert telemetry.count(names.DUPLICATES, destination="facts") == 1


def test_a_duplicate_outside_telemetry_is_nothing() -> None:
    """Without `instrument()` nothing happens, and nothing is raised."""
    otel_kit.duplicate()
