"""Jaeger as a source: version 1 by the embedded collector's compatible API, 3 by a stand-in."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from otel_kit.explorer.model import otlp_write
from otel_kit.explorer.model.critical_path import critical_path
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.source import (
    BadAnswer,
    EmbeddedSource,
    JaegerSource,
    NotKnown,
    Order,
    Rows,
    SagaSearch,
)
from otel_kit.explorer.source.http import JsonClient
from otel_kit.explorer.source.jaeger_v1 import JaegerV1, by_id
from otel_kit.records import SagaDetail, SpanRecord, StateCount
from tests.embedded import build
from tests.embedded.running import Client, collector
from tests.explorer.building import Made, order
from tests.explorer.canned import Canned, canned
from tests.explorer.feeding import feed


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a new, empty collector."""
    with collector() as found:
        yield found


@pytest.fixture
def source(client: Client) -> Iterator[JaegerSource]:
    """The collector, read as if it were Jaeger."""
    found = JaegerSource(client.query_url)
    yield found
    found.close()


@pytest.fixture
def later(client: Client) -> Iterator[JaegerSource]:
    """The same, which has read nothing yet."""
    found = JaegerSource(client.query_url)
    yield found
    found.close()


def _spans(detail: SagaDetail | None) -> dict[str, SpanRecord]:
    assert detail is not None
    return {span.span_id: span for trace in detail.traces for span in trace.spans}


def test_a_saga_read_from_jaeger_is_the_saga_that_was_sent(
    client: Client, source: JaegerSource
) -> None:
    """Attributes with their types, status, kind, events, links, over several traces."""
    made = order()
    linked = made.span(
        "batch", 120, 130, "analytics", "consumer", trace=2, links=[made.spans[-1]],
        error="timeout", reason="late", n=1, share=0.5, yes=True,
    )  # fmt: skip
    sent = feed(client, made)
    found = source.saga("order-1")

    assert _spans(found) == {span.span_id: span for span in sent.spans}
    assert _spans(found)[linked.span_id].status_message == "late"
    assert source.saga("nobody") is None


def _retried() -> Made:
    """An order whose charge was tried by step again, and within it by call, and which then failed.

    Its last span names no saga.
    """
    made = order()
    made.step("charge-payment", 120, 130, "billing", error="timeout")
    again = made.step("charge-payment", 140, 160, "billing", error="timeout")
    for number in (1, 2, 3, 4):
        said = {"otel_kit__retry__attempt": number}
        made.span(
            "attempt", 140 + number, 141 + number, "billing", under=again, error="timeout", **said
        )
    made.step("ship", 170, 180, "shipping", error="business")
    made.finish(made.span("last", 181, 182), "failed")
    late = made.span("late", 190, 250, "shipping", under=made.spans[-1])
    made.spans[-1] = replace(late, attributes={})
    return made


def test_both_sources_agree_on_row_and_path(client: Client, source: JaegerSource) -> None:
    """The same saga by the same collector, once as Jaeger's; and its row in the list."""
    feed(client, _retried())
    embedded = EmbeddedSource(client.query_url)
    theirs, ours = source.saga("order-1"), embedded.saga("order-1")
    [row], [listed] = source.find_sagas(SagaSearch()).rows, embedded.find_sagas(SagaSearch()).rows
    embedded.close()

    assert row == listed
    assert (row.retries, row.failed_step, len(row.steps)) == (3, "ship", 4)
    assert theirs is not None
    assert ours is not None
    assert theirs.saga == ours.saga
    assert critical_path(stitch(theirs)) == critical_path(stitch(ours))


def test_sagas_are_found_among_the_latest_traces(client: Client, source: JaegerSource) -> None:
    """By part of the id, state, name, service; page by page."""
    for number in range(5):
        feed(client, order(f"order-{number}"), seconds_ago=50 - number)
    running = Made("refund-1", "refund")
    running.step("pay back", 0, 5, "bank")
    feed(client, running)

    def ids(search: SagaSearch) -> list[str]:
        return [row.id for row in source.find_sagas(search).rows]

    assert ids(SagaSearch()) == ["refund-1", *(f"order-{n}" for n in (4, 3, 2, 1, 0))]
    assert ids(SagaSearch(states=("running",))) == ["refund-1"]
    assert ids(SagaSearch(contains="er-3")) == ["order-3"]
    assert ids(SagaSearch(contains="order-3")) == ["order-3"]
    assert ids(SagaSearch(service="billing", name="order", limit=2)) == ["order-4", "order-3"]
    first = source.find_sagas(SagaSearch(limit=4))
    second = source.find_sagas(SagaSearch(limit=4, cursor=first.next or ""))
    assert [row.id for row in second.rows] == ["order-1", "order-0"]
    assert second.next is None
    assert [detail.saga.id for detail in source.samples("order", 2)] == ["order-4", "order-3"]


@pytest.mark.parametrize("way", ["oldest", "stalest"])
def test_other_orders_are_those_of_the_latest_traces(
    client: Client, source: JaegerSource, way: Order
) -> None:
    """Page by page; the stalest are only those in progress."""
    feed(client, order("done"), seconds_ago=60)
    for number in range(5):
        running = Made(f"r-{number}")
        running.step("reserve", 0, 10 * number, "inventory")
        feed(client, running, seconds_ago=20)
    ids, cursor = [], ""
    for _ in range(3):
        page = source.find_sagas(SagaSearch(order=way, limit=2, cursor=cursor))
        ids += [row.id for row in page.rows]
        assert page.notes == ()
        cursor = page.next or ""

    ended = ["done"] if way == "oldest" else []
    assert sorted(ids) == [*ended, *(f"r-{number}" for number in range(5))]
    assert ids[: len(ended)] == ended
    assert way == "oldest" or ids == sorted(ids)
    assert not cursor


def test_sagas_are_counted_as_far_as_jaeger_tells(
    client: Client, source: JaegerSource, later: JaegerSource
) -> None:
    """Of the last week, while its traces can all be looked at; then it is said that they cannot."""
    feed(client, order())
    feed(client, Made("refund-1", "refund"))
    counts = source.count_by_state(SagaSearch(states=("failed",)))
    assert isinstance(counts, Rows)
    assert [row for row in counts.rows if row.count] == [StateCount("completed", 1)]
    assert counts.window_s == 7 * 24 * 3600
    assert source.saga_names() == Rows(("order",))

    client.send(build.traces([build.span() for _ in range(200)], "orders"))
    unknown = later.count_by_state(SagaSearch())
    assert isinstance(unknown, NotKnown)
    assert "more traces than can be looked at" in unknown.reason
    for way in ("newest", "oldest", "stalest"):
        [note] = later.find_sagas(SagaSearch(order=way)).notes
        assert "latest traces only" in note


def test_what_jaeger_cannot_tell_is_said(source: JaegerSource, client: Client) -> None:
    """No figures without Prometheus, no log records at all; but a page for each trace."""
    limits = " ".join(source.limits())

    assert "no log records" in limits
    assert "--prometheus" in limits
    for answer in (source.edges(), source.queues(), source.breakers(), source.propagation()):
        assert isinstance(answer, NotKnown)
        assert "--prometheus" in answer.reason
    assert source.trace_url("ab") == f"{client.query_url}/trace/ab"
    assert source.label == f"Jaeger at {client.query_url}"


@pytest.fixture
def jaeger() -> Iterator[Canned]:
    """A server that says what it is told to."""
    with canned() as server:
        yield server


def _v3(jaeger: Canned, *sagas: Made) -> JaegerSource:
    spans = [span for made in sagas for span in made.spans]
    jaeger.say("/api/v3/services", {"services": ["orders"]})
    jaeger.say("/api/v3/traces", {"result": otlp_write.write_spans(spans)})
    return JaegerSource(jaeger.url)


@pytest.mark.parametrize("page", [None, b"<html>Jaeger UI</html>"])
def test_where_version_1_is_gone_version_3_is_asked(jaeger: Canned, page: bytes | None) -> None:
    """Also where the old path answers with Jaeger's start page; attributes are checked again."""
    if page is not None:
        jaeger.say("/api/services", page)
    source = _v3(jaeger, order("order-1"), order("order-2"))
    found = source.saga("order-1")
    source.close()

    assert _spans(found) == {span.span_id: span for span in order("order-1").spans}
    [asked] = [params for path, params in jaeger.asked if path == "/api/v3/traces"]
    assert asked["query.service_name"] == ["orders"]
    assert json.loads(asked["query.attributes"][0]) == {"saga.id": "order-1"}
    assert asked["query.start_time_min"] == ["1970-01-01T00:00:00.000000000Z"]
    assert asked["query.start_time_max"][0].endswith("Z")


def test_version_3_says_404_where_nothing_is_found(jaeger: Canned) -> None:
    """That is an empty page, not an error."""
    source = JaegerSource(jaeger.url)
    jaeger.say("/api/v3/services", {"services": ["orders"]})

    assert source.find_sagas(SagaSearch()).rows == ()
    assert source.saga("order-1") is None
    source.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"data": 5}, "data is no list"),
        ({"data": [{"traceID": "xyz"}]}, "hexadecimal"),
        ({"data": [{"traceID": "1", "spans": [{"spanID": "zz"}]}]}, "hexadecimal"),
        ({"data": [{"traceID": "1", "spans": [{"tags": [{"key": 5}]}]}]}, "key is no text"),
        (b"no json", "not JSON"),
    ],
)
def test_a_nonsense_answer_is_told(jaeger: Canned, answer: object, reason: str) -> None:
    """Everything received is untrusted."""
    jaeger.say("/api/services", {"data": ["orders"]})
    jaeger.say("/api/traces", answer)
    source = JaegerSource(jaeger.url)
    with pytest.raises(BadAnswer, match=reason):
        source.saga("order-1")
    source.close()


def test_neither_version_is_a_bad_answer(jaeger: Canned) -> None:
    """Something else listens there: that is said, of the usual path."""
    source = JaegerSource(jaeger.url)
    with pytest.raises(BadAnswer, match=r"/api/services gave an answer.*HTTP 404"):
        source.find_sagas(SagaSearch())
    source.close()


def test_pages_and_visitors_share_what_was_just_read(
    client: Client, source: JaegerSource, later: JaegerSource
) -> None:
    """What is asked again within seconds is not read again."""
    feed(client, order())
    assert len(source.find_sagas(SagaSearch()).rows) == 1
    feed(client, order("ORD-2"))
    assert len(source.find_sagas(SagaSearch()).rows) == 1
    assert len(later.find_sagas(SagaSearch()).rows) == 2


def test_a_trace_that_has_grown_is_decoded_anew(client: Client) -> None:
    """Of the known traces, the records of the unchanged are returned as they are."""
    http = JsonClient(client.query_url)
    api = JaegerV1(http)
    first, second = build.span(), build.span()
    client.send(build.traces([first, second], "orders"))
    window = (time.time_ns() - 3600 * 10**9, time.time_ns() + 10**9, 10)
    known = by_id(api.search("orders", {}, *window))
    child = build.span(trace_id=second.trace_id, parent_span_id=second.span_id)
    client.send(build.traces([child], "orders"))
    found = by_id(api.search("orders", {}, *window, known))
    http.close()

    assert found[first.trace_id.hex()] is known[first.trace_id.hex()]
    assert len(found[second.trace_id.hex()].spans) == 2
