"""Traces and sagas that go on while many others come in, and rows that are gone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_kit.embedded.config import Config
from otel_kit.embedded.decode import index_traces
from otel_kit.embedded.store import Store
from tests.embedded import build
from tests.embedded.running import Client, collector

_LONG = b"\x07" * 16
_SAGA = {"saga.id": "order-1", "saga.name": "order"}


@pytest.fixture(autouse=True)
def _short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows are what else is 65,536, and five of one generation what else is 16,384."""
    monkeypatch.setattr("otel_kit.embedded.trace_rows._KNOWN", 10)
    monkeypatch.setattr("otel_kit.embedded.saga_rows._KNOWN", 10)
    monkeypatch.setattr("otel_kit.embedded.generations._ROWS", 5)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A collector that has seen a saga's first span, then sixty other sagas, then its second."""
    with collector(tmp_path) as client:
        client.send(build.traces([build.span("first", _LONG, attributes=_SAGA)]))
        for number in range(60):
            about = {"saga.id": f"other-{number}"}
            client.send(build.traces([build.span("other", attributes=about)]))
        client.send(build.traces([build.span("second", _LONG, attributes=_SAGA)], "billing"))
        yield client


def _names(trace: dict[str, list[dict[str, str]]]) -> list[str]:
    return [span["operationName"] for span in trace["spans"]]


def test_a_trace_that_was_forgotten_is_answered_whole(client: Client) -> None:
    """Spans that come long after the first are found with it, by the trace's id and in a search."""
    [trace] = client.data(f"/api/traces/{_LONG.hex()}")
    [found] = client.data("/api/traces", service="billing")
    assert _names(trace) == _names(found) == ["first", "second"]


def test_a_saga_that_was_forgotten_stays_one(client: Client) -> None:
    """A saga that goes on long after has one row, with its trace once and services of all time."""
    rows = client.get("/api/sagas", limit=1000).json()["data"]
    [row] = [row for row in rows if row["id"] == "order-1"]
    assert (row["trace_ids"], row["services"]) == ([_LONG.hex()], ["billing", "orders"])
    assert len(rows) == 61


def test_a_saga_is_one_after_a_restart(tmp_path: Path) -> None:
    """What a collector remembers of a store that it opens leads to the rows that are there."""
    span = build.span(attributes=_SAGA)
    for _ in range(2):
        with collector(tmp_path) as client:
            client.send(build.traces([span]))
            assert len(client.get("/api/sagas").json()["data"]) == 1
            assert client.get("/healthz").json()["traces"] == 1


def test_a_dropped_trace_begins_anew(tmp_path: Path) -> None:
    """A trace and a saga that retention dropped are stored again when they come again."""
    span = build.span(trace_id=_LONG, attributes=_SAGA)
    store = Store(Config(data=tmp_path))
    try:
        for _ in range(2):
            store.submit(index_traces(build.traces([span]).SerializeToString())).result()
            assert store.traces([_LONG])[0].spans
            assert store.saga("order-1", store.saga_query())
            _drop_everything(store)
            assert not store.traces([_LONG])
    finally:
        store.close()


def _drop_everything(store: Store) -> None:
    writer = store._writer  # as its own thread would, which has nothing to do now
    with writer._transaction():
        assert writer._retention.drop_traces(writer._ingest)


def test_what_a_failed_commit_wrote_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a commit that failed, the same spans are stored as if they had never come."""
    body = build.traces([build.span(trace_id=_LONG, attributes=_SAGA)]).SerializeToString()
    store = Store(Config(data=tmp_path))
    try:
        with monkeypatch.context() as broken:
            broken.setattr("otel_kit.embedded.ingest.Counters.save", _fail)
            with pytest.raises(Exception, match="disk"):
                store.submit(index_traces(body)).result()
        store.submit(index_traces(body)).result()
        assert len(store.traces([_LONG])[0].spans) == 1
        assert store.saga("order-1", store.saga_query())
        assert store.health().traces == 1
    finally:
        store.close()


def _fail(_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")
