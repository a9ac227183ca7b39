"""The wire format of DESIGN: our tracestate member beside W3C's headers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from otel_kit.hops.propagation import Propagator, inbound, merged
from otel_kit.names import UNKNOWN

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331


def context_of(state: dict[str, str] | None = None) -> Context:
    """A context whose current span has a fixed id."""
    span = SpanContext(TRACE, SPAN, False, TraceFlags(1), TraceState(list((state or {}).items())))
    return trace.set_span_in_context(NonRecordingSpan(span), Context())


def written(service: str = "orders", sent_ns: int | None = None, **state: str) -> dict[str, str]:
    """The headers that a service sends."""
    carrier: dict[str, str] = {}
    Propagator(service).inject(carrier, context_of(state), sent_ns=sent_ns)
    return carrier


def test_the_member_is_leftmost_and_others_are_kept() -> None:
    """`otelkit=c:…;p:…` comes first, a vendor's members after it, an old one of ours is gone."""
    headers = written("orders", vendor="1", otelkit="c:old;p:0", other="2")

    assert f"otelkit=c:orders;p:{SPAN:016x},vendor=1,other=2" == headers["tracestate"]


def test_a_message_says_when_it_was_sent() -> None:
    """`t` is nanoseconds since the epoch in hexadecimal, read back in seconds."""
    headers = written(sent_ns=1_700_000_000_500_000_000)
    now = time.time_ns()

    assert headers["tracestate"].endswith(";t:17979cfe53f76500")
    assert inbound(Propagator("x").extract(written(sent_ns=now))).sent_at == now / 1e9


def test_a_message_of_another_age_does_not_say_when_it_was_sent() -> None:
    """A time of sending over a week ago is not believed; the rest of the member is."""
    for sent_ns in (0, 1, time.time_ns() - 8 * 86_400 * 10**9):
        said = inbound(Propagator("x").extract(written("shop", sent_ns=sent_ns)))
        assert (said.client, said.sent_at) == ("shop", None)


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ("", "sentry-trace_id=abc , b=2;p=1", "sentry-trace_id=abc , b=2;p=1"),
        ("saga.id=2,saga.name=n", "a=1, saga.id=1", "saga.id=2,saga.name=n,a=1"),
        ("a=ours", "a=theirs,b=2", "a=ours,b=2"),
        ("", "saga.id=1,a=1,saga.name=n", "a=1"),
        ("", "saga.id=1", ""),
        ("a=1", "", "a=1"),
    ],
)
def test_baggage_of_others_is_kept_beside_ours(ours: str, theirs: str, both: str) -> None:
    """Ours wins per key, a saga that is not the current one goes, all else stays."""
    assert merged(ours, theirs) == both


@given(st.text(min_size=1, max_size=200))
def test_any_service_name_survives_the_wire(service: str) -> None:
    """Names are percent-encoded and cut to fit W3C's 256; what cannot be shown is unknown."""
    try:
        service.encode()
    except UnicodeEncodeError:
        return
    headers = written(service, sent_ns=2**63)
    said = inbound(Propagator("callee").extract(headers))

    assert len(headers["tracestate"].removeprefix("otelkit=")) <= 256
    assert said.client == UNKNOWN or service.startswith(said.client)
    assert said.client != UNKNOWN or not service[:64].isprintable() or service == UNKNOWN
    assert said.said_hello


@given(
    st.dictionaries(
        st.sampled_from(["traceparent", "tracestate", "baggage"]),
        st.one_of(st.text(max_size=600), st.from_regex(r"otelkit=[cpt:;%0-9a-f]*", fullmatch=True)),
    )
)
def test_extract_never_raises(headers: dict[str, str]) -> None:
    """Whatever a stranger sends, there is a context and a word for what became of it."""
    said = inbound(Propagator("callee").extract(headers))

    assert said.result in ("continued", "missing", "invalid", "stale")


@given(st.from_regex(r"otelkit=[cpt:;%0-9a-fxyz]{0,90}", fullmatch=True))
def test_a_forged_member_never_loses_the_trace(member: str) -> None:
    """A good traceparent is continued whatever our member says."""
    headers = {"traceparent": f"00-{TRACE:032x}-{SPAN:016x}-01", "tracestate": member}
    context = Propagator("callee").extract(headers)

    assert trace.get_current_span(context).get_span_context().trace_id == TRACE


def test_the_last_of_two_traceparents_counts() -> None:
    """The value that was added last is the nearest sender's."""
    first, last = f"00-{1:032x}-{1:016x}-01", f"00-{2:032x}-{2:016x}-01"

    class Twice:
        def get(self, carrier: object, key: str) -> list[str] | None:
            return [first, last] if key == "traceparent" else None

        def keys(self, carrier: object) -> list[str]:
            return ["traceparent"]

    parent = inbound(Propagator("x").extract({}, getter=Twice())).parent
    assert parent is not None
    assert parent.trace_id == 2


def test_the_next_version_of_traceparent_is_understood() -> None:
    """A future version may have more fields (W3C trace context, section 4)."""
    headers = {"traceparent": f"01-{TRACE:032x}-{SPAN:016x}-01-more"}

    assert inbound(Propagator("x").extract(headers)).result == "continued"


def test_baggage_of_the_surroundings_does_not_mix_in() -> None:
    """A message's context has the message's baggage and no other."""
    around = baggage.set_baggage("saga.id", "of somebody else")
    context = Propagator("x").extract({"baggage": "user=7"}, around)

    assert dict(baggage.get_all(context)) == {"user": "7"}


def test_no_more_than_thirty_two_members_go_out() -> None:
    """The limit of W3C trace context holds with ours added."""
    state = {f"k{number}": "v" for number in range(32)}

    assert len(written(**state)["tracestate"].split(",")) == 32


def test_headers_of_an_earlier_send_do_not_stay() -> None:
    """What a message carried from an earlier send is replaced, or gone if there is nothing now."""
    carrier = {"traceparent": "old", "tracestate": "old=1", "baggage": "saga.id=7,user=1", "x": "y"}
    Propagator("shop").renew(carrier, Context(), None)
    assert carrier == {"baggage": "user=1", "x": "y"}
