"""What the collector acknowledged is there after any end of its process."""

import signal
import threading
from pathlib import Path

import httpx

from otel_kit.embedded import Embedded
from tests.embedded import build
from tests.embedded.running import PROTOBUF, Child, Client, collector


def test_nothing_acknowledged_is_lost_by_kill_9_under_load(tmp_path: Path) -> None:
    """Killed with -9 under load, a restarted collector has every span it acknowledged."""
    acknowledged: list[tuple[str, int]] = []
    enough = threading.Event()

    def send(client: Client) -> None:
        with httpx.Client(timeout=20) as http:
            while True:
                spans = [build.span(trace_id=bytes([len(acknowledged) % 250 + 1]) * 16)]
                spans += [build.span(trace_id=spans[0].trace_id) for _ in range(9)]
                body = build.traces(spans).SerializeToString()
                url = f"{client.otlp_http_url}/v1/traces"
                try:
                    status = http.post(url, content=body, headers=PROTOBUF).status_code
                except httpx.TransportError:
                    return
                assert status == 200
                acknowledged.extend((s.trace_id.hex(), int(s.span_id.hex(), 16)) for s in spans)
                if len(acknowledged) > 2_000:
                    enough.set()

    with Child(tmp_path) as child:
        threads = [threading.Thread(target=send, args=[child.client]) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert enough.wait(30)
        assert child.end(signal.SIGKILL) == -signal.SIGKILL
        for thread in threads:
            thread.join()

    with Child(tmp_path) as child:
        found = {
            (span["traceID"], int(span["spanID"], 16))
            for trace_id in {trace_id for trace_id, _ in acknowledged}
            for span in child.client.data(f"/api/traces/{trace_id}")[0]["spans"]
        }

    assert set(acknowledged) <= found


def test_a_restart_keeps_traces_sagas_logs_and_metrics(tmp_path: Path) -> None:
    """Everything received is there after a stop and a start, and counted as before."""
    span = build.span(attributes={"saga.id": "order-1", "saga.name": "order"})
    with collector(tmp_path) as client:
        client.send(build.traces([span]))
        client.send(build.logs([build.log(trace_id=span.trace_id)]))
        client.send(build.metrics([build.counter("visits", 3)]))
        before = client.get("/healthz").json()
        page = client.get("/metrics").text

    with collector(tmp_path) as client:
        after = client.get("/healthz").json()

        assert len(client.data("/api/sagas/order-1")[0]["logs"]) == 1
        assert client.get("/metrics").text == page
        assert "visits" in page
        for name in ("spans", "traces", "log_records", "series"):
            assert after[name] == before[name] == 1


def test_without_a_data_directory_nothing_is_left() -> None:
    """An ephemeral collector deletes its files at the end."""
    with Embedded(otlp_grpc_port=0, otlp_http_port=0, query_port=0) as running:
        directory = running.store.directory
        assert list(directory.iterdir())

    assert not directory.exists()
