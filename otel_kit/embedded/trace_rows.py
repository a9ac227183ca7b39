"""The table of traces, as the writer sees it."""

import sqlite3
from collections.abc import Mapping
from itertools import islice
from operator import itemgetter
from typing import Final

from otel_kit.embedded import bulk
from otel_kit.embedded.batches import TraceSlice
from otel_kit.embedded.generations import generation_of

_KNOWN: Final = 2**16
"""Traces, the newest, whose rows are remembered (some 10 MB); a span whose trace came before them
begins another row of it."""
_trace_id: Final = itemgetter(0)

_NEW: Final = """
    INSERT INTO traces (id, generation, trace_id, started_at, ended_at, spans, errors) VALUES {}
"""
_SEEN_AGAIN: Final = """
    UPDATE traces SET
        started_at = min(started_at, column2), ended_at = max(ended_at, column3),
        spans = spans + column4, errors = errors + column5
    FROM (VALUES {}) WHERE id = column1
"""


class TraceRows:
    """Row ids of the newest traces, so that no span looks for its trace on the disk.

    ``newest`` is the greatest of all row ids, which grow.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        newest = connection.execute(
            "SELECT trace_id, id FROM traces ORDER BY id DESC LIMIT ?", (_KNOWN,)
        ).fetchall()
        self._known: dict[bytes, int] = dict(reversed(newest))
        self.newest = newest[0][1] if newest else 0
        self._oldest = 0

    def write(self, traces: Mapping[bytes, TraceSlice]) -> dict[bytes, int]:
        """Write what is known of each trace; returns their row ids."""
        known, new, again = self._known, [], []
        for trace_id, trace in sorted(traces.items(), key=_trace_id):
            told = (trace.started_ns, trace.ended_ns, trace.spans, trace.errors)
            row = known.get(trace_id)
            if row is None or row < self._oldest:
                self.newest = row = known[trace_id] = self.newest + 1
                new.append((row, generation_of(row), trace_id, *told))
            else:
                again.append((row, *told))
        bulk.with_rows(self._connection, _NEW, new)
        bulk.with_rows(self._connection, _SEEN_AGAIN, again)
        ids = {trace_id: known[trace_id] for trace_id in traces}
        if len(known) > 2 * _KNOWN:
            self._known = dict(islice(known.items(), _KNOWN, None))
        return ids

    def forget(self, last: int) -> None:
        """The rows up to `last` are no longer there."""
        self._oldest = last + 1
