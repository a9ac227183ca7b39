"""The kit's reading and writing of baggage beside OpenTelemetry's own."""

import logging
import random

import pytest
from opentelemetry.baggage import get_all, set_baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from otel_kit.hops import baggage

HEADERS = (
    "saga.id=ORD-7",
    "saga.id=ORD-7,saga.name=order",
    "a=1,a=2",
    "a=1 , b=2",
    "a = 1",
    "a=1;property=2",
    "a=",
    "=1",
    "a",
    "a==1",
    "a=b=c",
    "a=%C3%A4+b,c=d",
    "a=ä",
    "a=1,,b=2",
    "a@b=1,c=d",
    "a=x:y@z~,b=_.-",
    "a=1\n",
    " a=1",
    "",
    ",",
    ",".join(f"k{number}=v" for number in range(200)),
    "a=" + "x" * 5000,
    "a=" + "x" * 9000,
)
VALUES: tuple[object, ...] = ("ORD-7", "a b", "ä", "50%", "x:y", "", 7, None, "_.-~", "a,b", "a\n")
ALPHABET = "ab=,;:@%+~._-/ \tä\n"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The propagator says what it drops."""
    caplog.set_level(logging.CRITICAL)


def officially_read(header: str) -> dict[str, object]:
    return dict(get_all(W3CBaggagePropagator().extract({"baggage": header}, Context())))


def officially_written(context: Context) -> str:
    carrier: dict[str, str] = {}
    W3CBaggagePropagator().inject(carrier, context)
    return carrier.get("baggage", "")


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[:20])
def test_a_header_is_read_as_by_the_official_propagator(header: str) -> None:
    """Whatever stands in it."""
    assert dict(baggage.read(header) or {}) == officially_read(header)


def test_generated_headers_are_read_as_by_the_official_propagator() -> None:
    """Of the characters that mean something, and some that mean nothing."""
    dice = random.Random(7)
    headers = ["".join(dice.choices(ALPHABET, k=dice.randint(1, 24))) for _ in range(5000)]

    for header in headers:
        assert dict(baggage.read(header) or {}) == officially_read(header), header


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("key", ["saga.id", "a b", "a:b", "ä", ""])
def test_baggage_is_written_as_by_the_official_propagator(key: str, value: object) -> None:
    """Whatever the application put there."""
    context = set_baggage(key, value, set_baggage("first", "1", Context()))

    assert baggage.written(context) == officially_written(context)


def test_much_baggage_is_written_as_by_the_official_propagator() -> None:
    """It leaves out what is too much."""
    context = Context()
    for number in range(300):
        context = set_baggage(f"key{number}", "x" * 50, context)

    assert baggage.written(context) == officially_written(context)


def test_a_context_without_baggage_writes_nothing() -> None:
    """Nor one whose baggage is empty."""
    assert baggage.written(Context()) == ""
