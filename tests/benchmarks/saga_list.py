"""How long the API takes to list sagas out of a large store, and what it costs to take them in.

    python -m tests.benchmarks.saga_list [--sagas 50000] [--data DIRECTORY]

Exits with 1 if any query takes longer than `LIMIT_MS`.  A directory that has a store is not filled
again.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from otel_kit.embedded.config import Config
from otel_kit.embedded.intake import SIGNALS
from otel_kit.embedded.store import Store
from tests.benchmarks import saga_shapes
from tests.embedded.running import Client, collector

LIMIT_MS: Final = 300
_CHUNK: Final = 50
_RUNS: Final = 5
_DAYS: Final = 5 * 24 * 3600 * 10**9
_DECODERS: Final = {signal.request: signal.decode for signal in SIGNALS}


def main() -> int:
    """Fill a store, ask it everything, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sagas", type=int, default=50_000)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary)
        if not any(data.glob("*.db")):
            print(f"took in at {_fill(data, options.sagas):.1f} µs of CPU a span")
        with collector(data) as client:
            return _measure(client)


def _fill(data: Path, sagas: int) -> float:
    """CPU microseconds a span, from the request's bytes to the commit."""
    store = Store(Config(data=data))
    every_ns = _DAYS // sagas
    start_ns, spent, spans = time.time_ns() - _DAYS, 0.0, 0
    for first in range(0, sagas, _CHUNK):
        numbers = range(first, min(first + _CHUNK, sagas))
        bodies = [
            (_DECODERS[type(request)], request.SerializeToString())
            for request in saga_shapes.requests(numbers, start_ns, every_ns)
        ]
        before = time.process_time()
        for decoder, body in bodies:
            store.submit(decoder(body)).result()
        spent += time.process_time() - before
    spans = store.health().spans
    store.close()
    return spent / spans * 1e6


def _measure(client: Client) -> int:
    health = client.get("/healthz").json()
    print(
        f"{health['spans']:,} spans in {health['traces']:,} traces, {health['size_bytes']:,} bytes"
    )
    worst = 0.0
    for name, path, params in _questions(client):
        times = [_ask(client, path, params) for _ in range(_RUNS)]
        worst = max(worst, *times)
        print(f"{statistics.median(times):7.1f} ms  at most {max(times):7.1f} ms  {name}")
    return int(worst > LIMIT_MS)


def _ask(client: Client, path: str, params: dict[str, Any]) -> float:
    began = time.perf_counter()
    answer = client.get(path, **params)
    assert answer.status_code == 200, answer.text
    return (time.perf_counter() - began) * 1e3


def _questions(client: Client) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for sort in ("-started", "started", "stalest"):
        for label, params in _FILTERS.items():
            yield f"{sort:9} {label}", "/api/sagas", {"sort": sort, **params}
        cursor = _middle(client, sort)
        yield f"{sort:9} far along", "/api/sagas", {"sort": sort, "cursor": cursor}
    for label, params in _FILTERS.items():
        yield f"counts    {label}", "/api/saga_counts", params
    yield "names", "/api/saga_names", {}


def _middle(client: Client, sort: str) -> str:
    cursor = ""
    for _ in range(25):
        page = client.get("/api/sagas", sort=sort, limit=1000, cursor=cursor).json()
        if page["next"] is None:
            break
        cursor = page["next"]
    return cursor


_HALF: Final = time.time() - _DAYS / 2e9
_FILTERS: Final[dict[str, dict[str, Any]]] = {
    "all": {},
    "1000 rows": {"limit": 1000},
    "part of an id, one hit": {"q": "00031234"},
    "part of an id, no hit": {"q": "absent"},
    "name": {"name": "return"},
    "name, no hit": {"name": "absent"},
    "service of all": {"service": "orders"},
    "service of few": {"service": saga_shapes.RARE},
    "service, no hit": {"service": "absent"},
    "service of all, id without hit": {"service": "orders", "q": "absent"},
    "state of some": {"state": "failed"},
    "state, no hit": {"state": "partially_compensated"},
    "several states": {"state": "stuck,running"},
    "started after": {"started_after": _HALF},
    "started before": {"started_before": _HALF},
    "at least 1 hour": {"least_s": 3600},
    "at most, no hit": {"most_s": 0.001},
    "everything at once": {
        "q": "order", "name": "order", "service": "bank", "state": "failed,completed",
        "started_after": _HALF, "least_s": 0.1, "most_s": 1.2,
    },
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
