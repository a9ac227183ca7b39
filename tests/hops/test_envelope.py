"""Context in a message's own bytes: what goes in comes out, and nothing else is touched."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_kit.hops.envelope import LONGEST, unwrap, wrap
from otel_kit.hops.propagation import FIELDS

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIER = {
    "traceparent": PARENT,
    "tracestate": "otelkit=c:orders;p:b7ad6b7169203331;t:18a0c1d2e3f40516,vendor=a b",
    "baggage": "saga.id=42,saga.name=order;note=x",
}
HEAD = "".join(f"{name}: {value}\n" for name, value in CARRIER.items())

parts = ["otelkit/1\n", "otelkit/2\n", f"traceparent: {PARENT}\n", "baggage: a=b\n", "\n", "\ud800"]
texts = st.text() | st.lists(st.sampled_from(parts) | st.text(max_size=3)).map("".join)
payloads = texts | st.binary() | texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)
carriers = st.dictionaries(st.sampled_from(FIELDS), values)


@given(payloads, carriers)
@example("", {})
@example("otelkit/1\n\n", {})
@example(wrap(b"inner", CARRIER), {})
@example(wrap("inner", CARRIER), CARRIER)
def test_what_goes_in_comes_out(payload: str | bytes, carrier: dict[str, str]) -> None:
    """Payload and context round-trip, of the same type, also if the payload is an envelope."""
    wrapped = wrap(payload, carrier)

    assert type(wrapped) is type(payload)
    assert unwrap(wrapped) == (payload, carrier)


@given(payloads)
@example("otelkit/1\n\nx")
@example(b"otelkit/1\n\notelkit/1\n")
def test_nothing_is_taken_for_an_envelope_but_an_envelope(received: str | bytes) -> None:
    """What arrives is left alone, the same object, unless `wrap` makes precisely that."""
    payload, carrier = unwrap(received)

    assert (payload is received and not carrier) or wrap(payload, carrier) == received


@pytest.mark.parametrize(
    "alike",
    [
        "otelkit/1\n",
        "otelkit/1\r\n" + HEAD + "\n{}",
        "otelkit/2\n" + HEAD + "\n{}",
        "Otelkit/1\n" + HEAD + "\n{}",
        " otelkit/1\n" + HEAD + "\n{}",
        "otelkit/1\n" + HEAD + "{}",
        "otelkit/1\n" + HEAD + "cookie: a\n\n{}",
        "otelkit/1\n" + HEAD + HEAD + "\n{}",
        f"otelkit/1\nbaggage: a=b\ntraceparent: {PARENT}\n\n{{}}",
        "otelkit/1\nbaggage: " + "a" * 4097 + "\n\n{}",
        "otelkit/1\nbaggage: é\n\n{}",
        "otelkit/1\nbaggage: \n\n{}",
    ],
)
def test_what_merely_looks_alike_is_the_application_s(alike: str) -> None:
    """Another version, case, order, field, line end or size: the message itself, untouched."""
    assert unwrap(alike) == (alike, {})
    assert unwrap(alike.encode()) == (alike.encode(), {})


@pytest.mark.parametrize("received", [None, 7, memoryview(b"otelkit/1\n"), ["otelkit/1\n"], {}])
def test_what_is_no_text_and_no_bytes_is_left_alone(received: object) -> None:
    """A library may hand out other things than payloads: they come back as they are."""
    payload, carrier = unwrap(received)

    assert payload is received
    assert carrier == {}


def test_a_message_without_context_is_the_message() -> None:
    """Nothing to carry, nothing added: the bytes on the wire are the application's."""
    assert wrap('{"order": 42}', {}) == '{"order": 42}'
    assert wrap(b"\x00\xff", {}) == b"\x00\xff"


def test_the_head_reads_as_documented() -> None:
    """A line for each field in a fixed order, a blank line, the payload: the wire's format."""
    assert wrap('{"order": 42}', CARRIER) == f'otelkit/1\n{HEAD}\n{{"order": 42}}'


def test_only_w3c_fields_travel() -> None:
    """Whatever else a carrier has, such as another propagator's headers, stays behind."""
    carrier = {"x-b3-traceid": "1", **CARRIER, "authorization": "secret"}

    assert unwrap(wrap(b"x", carrier)) == (b"x", CARRIER)


@pytest.mark.parametrize("value", ["a" * 4097, "a\nb", "a\rb", "é", "\x00", ""])
def test_a_value_that_no_reader_would_take_stays_behind(value: str) -> None:
    """Too long, not printable or empty: that field is left out, the others travel."""
    wrapped = wrap("x", {**CARRIER, "baggage": value})

    assert unwrap(wrapped) == ("x", {k: v for k, v in CARRIER.items() if k != "baggage"})


def test_an_envelope_is_bounded() -> None:
    """Of the longest values there may be it adds `LONGEST` bytes, and is still understood."""
    carrier = dict.fromkeys(FIELDS, "~" * 4096)
    wrapped = wrap(b"", carrier)

    assert len(wrapped) == LONGEST
    assert unwrap(wrapped) == (b"", carrier)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_bytes_may_be_sent(kind: type[bytearray] | type[memoryview]) -> None:
    """Buffers are sent as the bytes they hold, and a received buffer stays one."""
    assert unwrap(wrap(kind(b"\x00\xff"), CARRIER)) == (b"\x00\xff", CARRIER)

    payload, _ = unwrap(bytearray(wrap(b"x", CARRIER)))
    assert payload == bytearray(b"x")
    assert type(payload) is bytearray


def test_an_envelope_is_no_json() -> None:
    """A JSON reader refuses an envelope that nobody took off, instead of reading something else."""
    with pytest.raises(json.JSONDecodeError):
        json.loads(wrap('{"order": 42}', CARRIER))
