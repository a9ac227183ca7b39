"""Keeps the latest state of every series, in memory and on disk, within bounds.

The writer plans a change, writes it, and publishes it only after the commit: what is shown is
what would survive a crash, and a batch that failed can be sent again without counting twice.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from typing import Final

from otel_kit.embedded.batches import Rejected
from otel_kit.embedded.config import MAX_SERIES, SERIES_STALE_S
from otel_kit.embedded.metrics.series import GAUGE, Point, Series, SeriesKey
from otel_kit.names import SCOPE

_STALE_NS: Final = int(SERIES_STALE_S * 1e9)
_ONE_EXPORT_NS: Final = 10**9
"""Points of one export may differ so much in time: a large one goes out in several requests."""
_ROW_BYTES: Final = 64
"""What a row costs beside its text."""


class MetricPlan:
    """Changes on top of the published state; None means the series ends."""

    def __init__(self, store: "MetricStore") -> None:
        self._store = store
        self.changes: dict[SeriesKey, Series | None] = {}
        self.added_bytes = 0

    def apply(self, points: Iterable[Point], now_ns: int, rejected: Rejected) -> None:
        """Take in points; those that would pass a limit are counted in `rejected`."""
        for point in points:
            current = self._current(point.key)
            if point.value is None:
                self.changes[point.key] = None
            elif current is not None:
                self.changes[point.key] = current.after(point, point.value, now_ns)
            elif self._has_room(point):
                self.changes[point.key] = Series.first(point, point.value, now_ns)
            else:
                rejected.add("too many metric series; lower the number of attribute values")

    def _current(self, key: SeriesKey) -> Series | None:
        return self.changes[key] if key in self.changes else self._store.get(key)

    def _has_room(self, point: Point) -> bool:
        count, size = self._store.usage()
        if count + len(self.changes) >= MAX_SERIES:
            return False
        self.added_bytes += _ROW_BYTES + 2 * len(point.key.to_text())
        return size + self.added_bytes <= self._store.max_bytes

    def write(self, connection: sqlite3.Connection) -> None:
        """Write the changes in the caller's transaction."""
        kept = [
            (key.to_text(), state.updated_ns, state.to_text())
            for key, state in self.changes.items()
            if state is not None
        ]
        ended = [(key.to_text(),) for key, state in self.changes.items() if state is None]
        connection.executemany("INSERT OR REPLACE INTO series VALUES (?, ?, ?)", kept)
        connection.executemany("DELETE FROM series WHERE key = ?", ended)


class MetricStore:
    """All series.  Read from any thread; changed by the writer's thread alone."""

    def __init__(self, connection: sqlite3.Connection, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes = 0
        self._series: dict[SeriesKey, Series] = {}
        for key, updated_ns, data in connection.execute("SELECT key, updated_at, data FROM series"):
            self._series[SeriesKey.from_text(key)] = Series.from_text(data, updated_ns)
            self._bytes += _size(key, data)

    def get(self, key: SeriesKey) -> Series | None:
        """The published state of one series."""
        return self._series.get(key)

    def usage(self) -> tuple[int, int]:
        """Number of series, and about how many bytes they take on disk."""
        return len(self._series), self._bytes

    def publish(self, plan: MetricPlan) -> None:
        """Make a committed plan visible."""
        with self._lock:
            for key, state in plan.changes.items():
                self._replace(key, state)

    def _replace(self, key: SeriesKey, state: Series | None) -> None:
        text = key.to_text()
        old = self._series.pop(key, None)
        if old is not None:
            self._bytes -= _size(text, old.to_text())
        if state is not None:
            self._series[key] = state
            self._bytes += _size(text, state.to_text())

    def all(self) -> list[tuple[SeriesKey, Series]]:
        """A snapshot of every series kept, also those that went quiet."""
        with self._lock:
            return list(self._series.items())

    def live(self, now_ns: int) -> Iterator[tuple[SeriesKey, Series]]:
        """Those updated within `SERIES_STALE_S`, but for the kit's gauges that a process left out.

        What such a gauge watched is gone (a closed consumer, say), while counts stay true.
        """
        oldest = now_ns - _STALE_NS
        found = [item for item in self.all() if item[1].updated_ns >= oldest]
        latest: dict[tuple[str, str], int] = {}
        for key, state in found:
            if key.scope == SCOPE:
                process = (key.service, key.instance)
                latest[process] = max(latest.get(process, 0), state.time_ns)
        for key, state in found:
            newest = latest.get((key.service, key.instance), 0)
            gone = key.type == GAUGE and state.time_ns < newest - _ONE_EXPORT_NS
            if not (gone and key.scope == SCOPE and key.instance):
                yield key, state

    def crowded(self) -> bool:
        """Whether quiet series should make room for new ones."""
        return len(self._series) > MAX_SERIES * 0.9 or self._bytes > self.max_bytes * 0.9

    def plan_eviction(self, now_ns: int) -> MetricPlan:
        """Ends the stale series."""
        plan = MetricPlan(self)
        live = {key for key, _ in self.live(now_ns)}
        plan.changes = {key: None for key, _ in self.all() if key not in live}
        return plan


def _size(key: str, data: str) -> int:
    return _ROW_BYTES + len(key) + len(data)
