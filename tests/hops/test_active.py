"""The four verbs by hand: the promise that nothing of ours reaches the application."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from typing import Any
from weakref import ref

import pytest
from opentelemetry import trace
from opentelemetry.context import attach, detach, get_current
from opentelemetry.instrumentation.utils import (
    suppress_http_instrumentation,
    suppress_instrumentation,
)
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import Hop, names
from otel_kit.hops.propagation import Propagator
from otel_kit.testing import capture


class Broken(MutableMapping[str, str]):
    """Headers that fail whatever one does with them."""

    def __getitem__(self, key: str) -> str:
        raise RuntimeError("broken carrier")

    def __setitem__(self, key: str, value: str) -> None:
        raise RuntimeError("broken carrier")

    def __delitem__(self, key: str) -> None:
        raise RuntimeError("broken carrier")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("broken carrier")

    def __len__(self) -> int:
        raise RuntimeError("broken carrier")


VERBS = [otel_kit.call, otel_kit.serve, otel_kit.send, otel_kit.process]


def hop(carrier: MutableMapping[str, str] | None = None, **given: object) -> Hop:
    """Some hop."""
    return Hop(system="test", operation="work", destination="there", carrier=carrier, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.__name__)
def test_a_bug_of_ours_changes_nothing(verb: object, caplog: pytest.LogCaptureFixture) -> None:
    """A carrier that breaks loses context and span, not the block; it is logged once."""
    with capture(strict=False), caplog.at_level(logging.WARNING, "otel_kit"):
        for _ in range(2):
            before = get_current()
            with verb(hop(Broken())):  # type: ignore[operator]
                result = 42
            assert before is get_current()

    assert result == 42
    assert len(caplog.records) <= 1


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.__name__)
def test_an_exception_passes_unchanged(verb: object) -> None:
    """The very same exception leaves the block; span and edge have its class."""
    failure = TimeoutError("late")
    with capture() as telemetry, pytest.raises(TimeoutError) as raised, verb(hop()):  # type: ignore[operator]
        raise failure

    assert failure is raised.value
    assert StatusCode.ERROR is telemetry.span("work").status.status_code
    expected = "server_error" if verb is otel_kit.serve else "timeout"
    assert telemetry.count(names.HOP_DURATION, error_class=expected) == 1


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.__name__)
def test_without_instrument_a_verb_does_nothing(verb: object) -> None:
    """No runtime, no span, no header."""
    headers: dict[str, str] = {}
    with verb(hop(headers)):  # type: ignore[operator]
        assert not trace.get_current_span().get_span_context().is_valid

    assert headers == {}


def test_suppressed_instrumentation_is_respected() -> None:
    """Exporters suppress instrumentation around their own calls: these are no hops."""
    headers: dict[str, str] = {}
    with capture() as telemetry, suppress_instrumentation(), otel_kit.call(hop(headers)):
        pass

    assert telemetry.spans == []
    assert headers == {}


def test_a_hop_inside_itself_is_one_hop() -> None:
    """A library function that calls another one with the same headers makes one span."""
    headers: dict[str, str] = {}
    with capture() as telemetry, otel_kit.send(hop(headers)), otel_kit.send(hop(headers)):
        pass

    assert len(telemetry.spans) == 1
    assert telemetry.count(names.HOP_DURATION) == 1


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_client_of_http_may_be_asked_to_be_still(transport: str) -> None:
    """Who makes the span of a request himself suppresses those of HTTP clients, and no others."""
    client, server = replace(hop({}), system=transport), replace(hop({}), system="http")
    with capture() as telemetry, suppress_http_instrumentation():
        for verb in (otel_kit.call(client), otel_kit.serve(server)):
            with verb:
                pass

    kinds = {span.kind for span in telemetry.spans}
    assert (SpanKind.CLIENT in kinds) == (transport == "grpc")
    assert SpanKind.SERVER in kinds


@pytest.mark.parametrize("propagators", [["none"], ["baggage"]])
def test_where_no_header_tells_a_hop_inside_its_own_kind_is_the_same(
    propagators: list[str],
) -> None:
    """A library below another is not counted again; another transport, or a later call, is."""
    other = replace(hop({}), system="other")
    with capture(propagators=propagators) as telemetry:
        with otel_kit.call(hop({})):
            with otel_kit.call(hop({})), otel_kit.call(other):
                pass
            within = get_current()
        token = attach(within)  # as a task has it that was begun in the call, and lasts longer
        with otel_kit.call(hop({})):
            pass
        detach(token)

    assert len(telemetry.spans) == 3


def test_a_hop_inside_another_is_two_hops() -> None:
    """A call made while another call is under way, with its own headers, is a hop of its own."""
    with capture() as telemetry, otel_kit.call(hop({})), otel_kit.call(hop({})):
        pass

    assert len(telemetry.spans) == 2


def test_a_deferred_hop_is_ended_from_any_thread_once() -> None:
    """The acknowledgement ends it, with its own clock; later ends are ignored."""
    with capture() as telemetry:
        with otel_kit.send(hop({})) as active:
            active.defer()
        assert telemetry.spans == []
        thread = threading.Thread(target=active.end, args=(ConnectionError(),))
        thread.start()
        thread.join()
        active.end()

    assert telemetry.count(names.HOP_DURATION, error_class="connection") == 1


def test_a_forwarded_message_takes_its_new_parent_and_links_its_origin() -> None:
    """The old creation context is replaced in the headers and kept as a link."""
    headers = {"traceparent": f"00-{7:032x}-{8:016x}-01", "baggage": "saga.id=old"}
    with capture() as telemetry, otel_kit.send(hop(headers)):
        pass

    span = telemetry.span(kind=SpanKind.PRODUCER)
    assert f"{span.context.trace_id:032x}" in headers["traceparent"]
    assert "baggage" not in headers
    assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [(7, 8)]


def message(caller: str, number: int, waited: float) -> Hop:
    """A message of `caller` that was sent `waited` seconds ago."""
    headers: dict[str, str] = {}
    with capture(caller, strict=True):
        tracer = trace.NonRecordingSpan(
            trace.SpanContext(number, number, False, trace.TraceFlags(1))
        )
        context = trace.set_span_in_context(tracer)
        sent_ns = time.time_ns() - int(waited * 1e9)
        Propagator(caller).inject(headers, context, sent_ns=sent_ns)
    return otel_kit.incoming("kafka", "orders", carrier=headers, group="g")


@pytest.mark.parametrize("waited", [0.001, 1.0, 60.0, 86_400.0])
def test_dwell_is_right_from_a_millisecond_to_a_day(waited: float) -> None:
    """From the sender's clock to the start of handling, apart from the handling itself."""
    sent = time.time()
    incoming = message("web", 1, waited)
    with capture("orders") as telemetry, otel_kit.process(incoming):
        handled = time.time()

    (point,) = telemetry.points(names.QUEUE_DURATION, client="web", server="orders", group="g")
    assert waited <= point.sum <= waited + handled - sent
    assert telemetry.count(names.HOP_DURATION, side="consumer", client="web") == 1


def test_a_clock_that_is_set_while_handling_changes_no_dwell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dwell ends when handling starts, whatever the clock says at its end."""
    real = time.time
    with capture("orders") as telemetry, otel_kit.process(message("web", 1, 60)):
        monkeypatch.setattr(time, "time", lambda: real() + 3600)

    assert 60 <= telemetry.points(names.QUEUE_DURATION)[0].sum < 120


def test_a_message_from_the_future_waited_zero_and_is_counted() -> None:
    """Clock skew never makes a negative wait."""
    with capture("orders") as telemetry, otel_kit.process(message("web", 1, -60)):
        pass

    assert telemetry.points(names.QUEUE_DURATION)[0].sum == 0
    assert telemetry.count(names.QUEUE_CLOCK_SKEW) == 1


def test_a_batch_is_one_span_with_links_and_counts_every_message() -> None:
    """Each message counts for its own edge and its own wait."""
    batch = [message("web", 1, 1), message("web", 2, 2), message("admin", 3, 3)]
    with capture("orders") as telemetry, otel_kit.process(batch):
        pass

    span = telemetry.span(kind=SpanKind.CONSUMER)
    assert span.parent is None
    assert [link.context.trace_id for link in span.links] == [1, 2, 3]
    assert (span.attributes or {})[names.MESSAGING_BATCH_COUNT] == 3
    counts = {c: telemetry.count(names.HOP_DURATION, client=c) for c in ("web", "admin")}
    assert counts == {"web": 2, "admin": 1}
    assert telemetry.count(names.QUEUE_DURATION) == 3


def test_semantic_convention_metrics_can_be_switched_off() -> None:
    """`OTEL_KIT_SEMCONV_METRICS=false` leaves our own."""
    request = otel_kit.http_request("GET", carrier={}, scheme="http", host="a", port=1)
    for semconv, expected in ((True, 1), (False, 0)):
        with capture(semconv_metrics=semconv) as telemetry, otel_kit.call(request):
            pass
        assert expected == telemetry.count(names.HTTP_CLIENT_DURATION)
        assert telemetry.count(names.HOP_DURATION) == 1


def test_the_number_of_clients_in_labels_is_bounded() -> None:
    """Thousands of made-up callers end up under one label."""
    incoming = [message(f"caller-{n}", n + 1, 0) for n in range(10)]
    with capture("orders", max_peers=3) as telemetry:
        for each in incoming:
            with otel_kit.process(each):
                pass

    clients = {point.labels["client"] for point in telemetry.points(names.HOP_DURATION)}
    assert len(clients) == 4
    assert "_OTHER" in clients
    assert telemetry.count(names.HOP_DURATION) == 10


def test_what_process_does_not_know_runs_untraced(caplog: pytest.LogCaptureFixture) -> None:
    """A message of an unknown type is handled; the warning says so."""
    with capture(), otel_kit.process(object()):
        done = True

    assert done


class Unreadable(Exception):
    """Its text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.__name__)
def test_an_exception_without_a_text_passes_and_ends_the_span(verb: object) -> None:
    """An exception whose `__str__` raises is the application's to see, and is named on the span."""
    with capture() as telemetry, pytest.raises(Unreadable), verb(hop()):  # type: ignore[operator]
        raise Unreadable

    status = telemetry.span().status
    assert status.status_code is StatusCode.ERROR
    assert status.description == "Unreadable, whose text cannot be read"


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.__name__)
def test_a_senseless_hop_changes_nothing(verb: object) -> None:
    """What the kit cannot make a hop of does not reach the application."""
    senseless = Hop(system=None, operation=None, attributes=None)  # type: ignore[arg-type]
    with capture(strict=False), verb(senseless):  # type: ignore[operator]
        done = True

    assert done


def test_a_reply_from_elsewhere_names_that_address() -> None:
    """After a redirect it is the last server's address whose name is learned."""
    request = otel_kit.http_request("GET", carrier={}, scheme="http", host="old", port=80)
    with capture() as telemetry:
        with otel_kit.call(request) as active:
            active.answered('otelkit;desc="newer";dur=1', "new:80")
        with otel_kit.call(request):
            pass

    assert {p.labels["server"] for p in telemetry.points(names.HOP_DURATION)} == {"newer", "old:80"}


def test_attributes_known_at_the_begin_and_at_the_end() -> None:
    """What a hop learns on its way is on the span beside what it began with, the last word last."""
    begun = {"kept": "a", "flag": 1, "size": 1, "list": (1, 2)}
    with capture() as seen, otel_kit.serve(hop(attributes=begun)) as active:
        for name, value in {"flag": True, "size": 2, "list": (1, 2), "late": None}.items():
            active.note(name, value)
    attributes = dict(seen.spans[0].attributes or {})
    found = {name: attributes[name] for name in (*begun, "late")}
    assert found == {"kept": "a", "flag": True, "size": 2, "list": (1, 2), "late": None}
    assert found["flag"] is True
    assert attributes[names.SPAN_PROPAGATION] == "missing"


class Carrier(dict[str, str]):
    """Headers that can be referred to weakly."""


@pytest.mark.parametrize("verb", [otel_kit.call, otel_kit.serve, otel_kit.send])
def test_a_hop_leaves_nothing_for_the_garbage_collector(verb: Callable[[Hop], Any]) -> None:
    """Its context refers to it, but it no longer to its context."""
    carrier = Carrier()
    gone = ref(carrier)
    with capture():
        gc.disable()
        try:
            with verb(Hop(system="http", operation="GET", carrier=carrier)):
                del carrier
                assert gone() is not None
            assert gone() is None
        finally:
            gc.enable()
