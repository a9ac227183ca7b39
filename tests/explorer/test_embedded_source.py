"""The embedded collector as a source: the real one, fed by OTLP."""

from collections.abc import Iterator

import pytest

from otel_kit.explorer.model.state import STATES, state
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.source import (
    BadAnswer,
    EmbeddedSource,
    NotKnown,
    Rows,
    SagaSearch,
    Source,
    SourceDown,
)
from otel_kit.records import PropagationRecord, Quantiles, StateCount
from tests.embedded import build
from tests.embedded.running import Client, collector
from tests.explorer.building import Made, order
from tests.explorer.canned import canned
from tests.explorer.feeding import feed, figures


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a new, empty collector."""
    with collector() as found:
        yield found


@pytest.fixture
def source(client: Client) -> Iterator[EmbeddedSource]:
    """The collector as the explorer sees it."""
    found = EmbeddedSource(client.query_url)
    yield found
    found.close()


def test_a_saga_is_read_as_it_was_sent(client: Client, source: Source) -> None:
    """Every field of its spans and logs, and the state inferred is the collector's."""
    made = order()
    made.started("charge-payment", 61, "billing")
    sent = feed(client, made)
    found = source.saga("order-1")

    assert found is not None
    assert {span.span_id: span for trace in found.traces for span in trace.spans} == {
        span.span_id: span for span in sent.spans
    }
    assert found.logs == sent.logs
    assert found.saga.state == "completed"
    story = stitch(found)
    assert state(story, steps(story), story.ended_ns) == "completed"
    assert source.saga("nobody/knows it?") is None


def test_sagas_are_searched_by_every_filter(client: Client, source: Source) -> None:
    """Part of the id, states, name, service, time, duration; by start, or the stalest first."""
    feed(client, order("order-17"), seconds_ago=50)
    slow = feed(client, order("order-18", charge=2_000), seconds_ago=30)
    refund = Made("refund-1", "refund")
    refund.step("pay back", 0, 5, "bank")
    feed(client, refund, seconds_ago=10)

    def ids(search: SagaSearch) -> list[str]:
        return [row.id for row in source.find_sagas(search).rows]

    began = min(span.started_ns for span in slow.spans)
    assert ids(SagaSearch()) == ["refund-1", "order-18", "order-17"]
    assert ids(SagaSearch(order="oldest"))[0] == "order-17"
    assert ids(SagaSearch(order="stalest")) == ["refund-1"]
    assert ids(SagaSearch(states=("running", "stuck"))) == ["refund-1"]
    assert len(ids(SagaSearch(states=("running", "completed")))) == 3
    assert ids(SagaSearch(contains="-17")) == ["order-17"]
    assert ids(SagaSearch(states=("running",))) == ["refund-1"]
    assert ids(SagaSearch(name="order", service="billing")) == ["order-18", "order-17"]
    assert ids(SagaSearch(least_s=2)) == ["refund-1", "order-18"]
    assert ids(SagaSearch(name="order", most_s=1)) == ["order-17"]
    assert ids(SagaSearch(started_after_ns=began)) == ["refund-1", "order-18"]
    assert ids(SagaSearch(started_before_ns=began)) == ["order-17"]


def test_pages_follow_each_other_while_new_sagas_arrive(client: Client, source: Source) -> None:
    """By keyset: nothing twice, nothing left out."""
    for number in range(7):
        feed(client, order(f"o-{number}"), seconds_ago=100 - number)
    first = source.find_sagas(SagaSearch(limit=3))
    feed(client, order("o-new"), seconds_ago=1)
    second = source.find_sagas(SagaSearch(limit=3, cursor=first.next or ""))
    third = source.find_sagas(SagaSearch(limit=3, cursor=second.next or ""))

    assert [row.id for page in (first, second, third) for row in page.rows] == [
        f"o-{number}" for number in (6, 5, 4, 3, 2, 1, 0)
    ]
    assert (third.next, third.notes) == (None, ())


def test_filtered_pages_are_full(client: Client, source: Source) -> None:
    """The collector filters, so that a page has as many rows as asked for while there are more."""
    for number in range(6):
        feed(client, order(f"o-{number}", charge=3_000 * (number % 2)), seconds_ago=100 - number)
    first = source.find_sagas(SagaSearch(limit=2, least_s=2))
    second = source.find_sagas(SagaSearch(limit=2, least_s=2, cursor=first.next or ""))

    assert [row.id for row in first.rows + second.rows] == ["o-5", "o-3", "o-1"]
    assert (len(first.rows), second.next) == (2, None)


def test_every_saga_admitted_is_found_and_counted(client: Client, source: Source) -> None:
    """What the collector filters is what `SagaSearch` says, also at the bounds, exactly."""
    for number in range(4):
        feed(client, order(f"o-{number}", charge=100 * number), seconds_ago=50 - number)
    rows = source.find_sagas(SagaSearch()).rows
    for row in rows:
        for search in (
            SagaSearch(started_after_ns=row.started_ns),
            SagaSearch(started_before_ns=row.started_ns),
            SagaSearch(least_s=row.duration_s),
            SagaSearch(most_s=row.duration_s),
        ):
            admitted = [each for each in rows if search.admits(each)]
            counts = source.count_by_state(search)
            assert list(source.find_sagas(search).rows) == admitted
            assert isinstance(counts, Rows)
            assert sum(each.count for each in counts.rows) == len(admitted)


def test_states_are_counted_and_names_listed(client: Client, source: Source) -> None:
    """Counts are of what fits, whatever states are asked for."""
    feed(client, order())
    refund = Made("refund-1", "refund")
    refund.step("pay back", 0, 5, "bank")
    feed(client, refund)
    counts = source.count_by_state(SagaSearch(name="refund", states=("failed",), order="stalest"))

    assert isinstance(counts, Rows)
    assert {row.state for row in counts.rows} == set(STATES)
    assert [row for row in counts.rows if row.count] == [StateCount("running", 1)]
    assert source.saga_names() == Rows(("order", "refund"))


def test_a_collector_that_cannot_count_is_told_to_be_old() -> None:
    """A 404 of the path is not an error."""
    with canned() as server:
        source = EmbeddedSource(server.url)
        answers = source.count_by_state(SagaSearch()), source.saga_names()
        source.close()

    for answer, path in zip(answers, ("/api/saga_counts", "/api/saga_names"), strict=True):
        assert answer == NotKnown(f"the collector at {server.url} is too old to know {path}")


def test_samples_are_the_latest_completed_of_the_name(client: Client, source: Source) -> None:
    """Those in progress, failed, or of another name do not teach what is usual."""
    for number in range(3):
        feed(client, order(f"o-{number}"), seconds_ago=20 - number)
    feed(client, Made("other", "refund"))
    unfinished = Made("unfinished")
    unfinished.step("reserve", 0, 5, "inventory")
    feed(client, unfinished)

    assert [detail.saga.id for detail in source.samples("order", 2)] == ["o-2", "o-1"]


def test_figures_are_the_collectors(client: Client, source: Source) -> None:
    """Edges, queues, breakers and propagation, since the services began."""
    client.send(build.metrics(figures(2), service="billing"))
    edges, queues = source.edges(), source.queues()
    breakers, lost = source.breakers(), source.propagation()

    assert isinstance(edges, Rows)
    billing, kafka = edges.rows
    assert (billing.client, billing.server, billing.side) == ("orders", "billing", "consumer")
    assert (billing.calls, billing.errors, kafka.calls) == (30, {"timeout": 10}, 20)
    assert billing.queue.p50_s == 1.5
    assert isinstance(queues, Rows)
    [queue] = queues.rows
    assert (queue.destination, queue.group, queue.lag, queue.consumed) == ("q", "billing", None, 20)
    assert isinstance(breakers, Rows)
    [breaker] = breakers.rows
    assert (breaker.name, breaker.service, breaker.state) == ("bank", "billing", "open")
    assert isinstance(lost, Rows)
    [hop] = lost.rows
    assert (hop.client, hop.server, hop.lost, hop.rate) == ("orders", "billing", 14, 1.0)
    assert edges.window_s is None


def test_rows_of_queues_breakers_and_propagation_are_read() -> None:
    """As the collector's API writes them, page by page; a 404 is told to be its age."""
    with canned() as server:
        source = EmbeddedSource(server.url)
        server.say("/api/queues", {"data": [{
            "transport": "kafka", "destination": "q", "group": "g", "depth": None, "lag": 3.0,
            "lag_time_s": 0.5, "wait_p50_s": 0.1, "wait_p95_s": None, "wait_p99_s": 2,
            "consumed": 7}], "next": None})  # fmt: skip
        server.say("/api/propagation", {"data": [{
            "client": "a", "client_inferred": True, "server": "b", "transport": "http",
            "destination": "", "continued": 1, "missing": 2, "invalid": 0, "stale": 0, "lost": 2,
            "rate": 0.66, "since": 5.5, "last": None, "likely_cause": "why"}]})  # fmt: skip
        queues, lost, breakers = source.queues(), source.propagation(), source.breakers()
        source.close()

    assert isinstance(queues, Rows)
    assert (queues.rows[0].lag, queues.rows[0].wait) == (3.0, Quantiles(0.1, None, 2.0))
    assert lost == Rows(
        (
            PropagationRecord(
                "a", "b", "http", "", {"continued": 1, "missing": 2, "invalid": 0, "stale": 0},
                True, 5_500_000_000, None, "why",
            ),
        )
    )  # fmt: skip
    assert isinstance(breakers, NotKnown)
    assert "too old to know /api/breakers" in breakers.reason


def test_nobody_there_is_told_with_the_address() -> None:
    """One sentence, with what to look at."""
    source = EmbeddedSource("http://127.0.0.1:1/")
    with pytest.raises(SourceDown) as raised:
        source.find_sagas(SagaSearch())
    source.close()

    assert raised.value.url == "http://127.0.0.1:1"
    assert str(raised.value).startswith("http://127.0.0.1:1 does not answer (")


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (b"<html>", 200, "not JSON"),
        (b"{}" * 50, 200, "not JSON"),
        (b'{"data": [{"id": NaN}]}', 200, "not JSON"),
        (b"[" * 100_000, 200, "not JSON"),
        ({"data": 5}, 200, "data is no list of objects"),
        ({"data": [{"id": 5}]}, 200, "id is no text"),
        ({"data": [{"errors": "x"}]}, 200, "errors is no whole number"),
        ({"data": [{"started_at": 1e300}]}, 200, "started_at is no time"),
        ({"data": [{"steps": 5}]}, 200, "steps is no list of objects"),
        ({"data": [{"steps": [{"ended_ns": "x"}]}]}, 200, "ended_ns is no whole number"),
        ({"data": [{"duration_s": "long"}]}, 200, "duration_s is no number"),
        ([], 200, "the answer is no object"),
        ({"error": "state must be"}, 400, "HTTP 400.*state must be"),
        ({"error": "internal"}, 500, "HTTP 500"),
    ],
)
def test_a_nonsense_answer_is_told_and_never_crashes(
    answer: object, status: int, reason: str
) -> None:
    """Everything received is untrusted."""
    with canned() as server:
        server.say("/api/sagas", answer, status)
        source = EmbeddedSource(server.url)
        with pytest.raises(BadAnswer, match=reason):
            source.find_sagas(SagaSearch())
        source.close()


@pytest.mark.parametrize("url", ["", "localhost:16686", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="write it as http://host:port"):
        EmbeddedSource(url)


def test_an_answer_without_end_is_given_up() -> None:
    """More than the limit is not read into memory."""
    from otel_kit.explorer.source.http import JsonClient

    with canned() as server:
        server.say("/big", b" " * 3_000_000)
        client = JsonClient(server.url, max_bytes=2 * 1024**2)
        with pytest.raises(BadAnswer, match="over 2 MiB"):
            client.get("/big")
        client.close()
