"""The store keeps to its size and drops whole traces, oldest first."""

import os
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_kit.embedded.config import MIB
from tests.embedded import build
from tests.embedded.running import Client, collector

SIZE = 8 * MIB
SPANS_EACH = 5


def _trace(number: int) -> list[Span]:
    """A trace of 5 spans with 4 KiB each that does not compress, of a saga of its own."""
    trace_id = number.to_bytes(16, "big")
    loads = [{"load": os.urandom(2_000).hex()} for _ in range(SPANS_EACH)]
    saga = {"saga.id": f"order-{number}"}
    return [build.span(trace_id=trace_id, attributes={**saga, **load}) for load in loads]


def _fill(client: Client, traces: int) -> None:
    for first in range(1, traces, 20):
        numbers = range(first, first + 20)
        client.send(build.traces([span for number in numbers for span in _trace(number)]))


def test_old_traces_go_as_a_whole_and_the_files_keep_to_the_size(tmp_path: Path) -> None:
    """With three times the size sent, the newest whole traces are kept within the size."""
    with collector(tmp_path, max_size=SIZE) as client:
        _fill(client, 2_000)
        health = _settled(client)
        kept = []
        for number in range(1, 2_001):
            answer = client.get(f"/api/traces/{number:032x}")
            if answer.status_code == 200:
                kept.append(number)
                assert len(answer.json()["data"][0]["spans"]) == SPANS_EACH
        on_disk = sum(file.stat().st_size for file in tmp_path.iterdir())

        assert on_disk <= SIZE
        assert health["traces"] == len(kept)
        assert health["spans"] == SPANS_EACH * len(kept)
        assert kept == list(range(2_001 - len(kept), 2_001))
        assert len(kept) > 100
        assert client.get("/api/sagas/order-1").status_code == 404
        assert client.get(f"/api/sagas/order-{kept[0]}").status_code == 200
        assert len(_all_sagas(client)) == len(kept)


def _settled(client: Client) -> dict[str, Any]:
    """The health when retention is done: each answer waits for a slice of it."""
    before, health = {}, client.get("/healthz").json()
    while before != health:
        before, health = health, client.get("/healthz").json()
    return health


def _all_sagas(client: Client) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = client.get("/api/sagas", limit=1000, cursor=cursor).json()
        found += [row["id"] for row in page["data"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_logs_keep_to_their_share(tmp_path: Path) -> None:
    """Old log records go when logs pass their share, and traces stay."""
    span = build.span()
    with collector(tmp_path, max_size=SIZE) as client:
        client.send(build.traces([span]))
        for number in range(300):
            body = os.urandom(10_000).hex()
            trace_id = (number + 1).to_bytes(16, "big")
            client.send(build.logs([build.log(body, trace_id=trace_id)]))

        assert client.data("/api/logs", trace_id=f"{1:032x}") == []
        assert len(client.data("/api/logs", trace_id=f"{300:032x}")) == 1
        assert client.get(f"/api/traces/{span.trace_id.hex()}").status_code == 200
        assert 50 < client.get("/healthz").json()["log_records"] < 250


def test_a_store_opened_with_a_smaller_size_shrinks(tmp_path: Path) -> None:
    """With a smaller size than before, traces go and the file gives its space back."""
    with collector(tmp_path, max_size=4 * SIZE) as client:
        _fill(client, 1_000)
    with collector(tmp_path, max_size=SIZE) as client:
        client.send(build.traces(_trace(5_000)))
        rounds = range(200)  # each answer waits for one slice of housekeeping
        sizes = (client.get("/healthz").json()["size_bytes"] for _ in rounds)

        assert any(size <= SIZE for size in sizes)
        assert client.get(f"/api/traces/{5_000:032x}").status_code == 200


def test_a_request_too_big_for_the_store_is_refused() -> None:
    """A request that would take a tenth of the store gets 413 and says what to do."""
    with collector(max_size=SIZE) as client:
        request = build.traces([build.span(attributes={"load": os.urandom(SIZE // 8).hex()})])
        answer = client.post(
            "traces", request.SerializeToString(), {"content-type": "application/x-protobuf"}
        )

        assert answer.status_code == 413
        assert b"--max-size" in answer.content


def test_a_search_for_dropped_traces_finds_nothing(tmp_path: Path) -> None:
    """A search by the service of a dropped trace answers, and with nothing."""
    with collector(tmp_path, max_size=SIZE) as client:
        first = build.span("rare", trace_id=b"\x01" * 16)
        client.send(build.traces([first], "rare-service"))
        _fill(client, 1_000)
        found = client.data("/api/traces", service="rare-service")

        assert found == []
