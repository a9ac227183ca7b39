"""The store as the receivers and the query APIs see it: submit batches, ask questions.

Writes go through one thread (`writer`); each question sees one snapshot.  Everything answered is
a record of `otel_kit.records`.
"""

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from otel_kit.embedded import saga_queries, trace_queries
from otel_kit.embedded.answering import Answering
from otel_kit.embedded.batches import Rejected
from otel_kit.embedded.config import METRIC_SHARE, MIN_SIZE, Config
from otel_kit.embedded.database import DataDirectory
from otel_kit.embedded.metrics.breakers import breakers
from otel_kit.embedded.metrics.edges import edges
from otel_kit.embedded.metrics.propagation import propagation
from otel_kit.embedded.metrics.queues import queues
from otel_kit.embedded.metrics.series import Series, SeriesKey
from otel_kit.embedded.metrics.store import MetricStore
from otel_kit.embedded.saga_queries import SagaQuery
from otel_kit.embedded.trace_queries import TraceQuery
from otel_kit.embedded.writer import Batch, Ping, Writer
from otel_kit.exceptions import InvalidSetting
from otel_kit.records import (
    BreakerRecord,
    DependencyRecord,
    EdgeRecord,
    LogRecord,
    OperationRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
    SagaRecord,
    StateCount,
    TraceRecord,
)

T = TypeVar("T")

_WAL_SHARE: Final = 0.04
_MAX_WAL: Final = 8 * 1024 * 1024
_PING_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """What the store holds; ``problem`` is empty while the disk takes writes."""

    problem: str
    spans: int
    traces: int
    log_records: int
    series: int
    size_bytes: int
    max_size_bytes: int


class Store:
    """Open from construction to `close`."""

    def __init__(self, config: Config) -> None:
        """Raises DataUnusable or InvalidSetting."""
        if config.max_size < MIN_SIZE:
            raise InvalidSetting(f"--max-size must be at least {MIN_SIZE // 2**20}MB")
        self._config = config
        self._temporary = None if config.data else Path(tempfile.mkdtemp(prefix="otel-kit-"))
        directory = config.data or self._temporary
        assert directory is not None  # one of the two is set
        wal_bytes = min(int(config.max_size * _WAL_SHARE), _MAX_WAL)
        self.answering = Answering()
        self._data = DataDirectory(directory, config.data is not None, wal_bytes)
        self._data.writer.give_way = self.answering.give_way
        self._metrics = MetricStore(self._data.writer, int(config.max_size * METRIC_SHARE))
        self._writer = Writer(self._data.writer, self._metrics, config.max_size)
        self._writer.start()

    def close(self) -> None:
        """Commit what is waiting and close; a store without data directory is deleted."""
        self._writer.stop()
        self._data.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def directory(self) -> Path:
        """Where the data is."""
        return self._data.directory

    def announced(self) -> contextlib.AbstractContextManager[None]:
        """While a batch is made."""
        return self._writer.announced()

    def submit(self, batch: Batch) -> "Future[Rejected]":
        """Have a batch written; done when committed.  Raises Unavailable, TooLarge."""
        return self._writer.submit(batch)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with self._data.snapshot() as connection:
            return question(connection)

    def services(self) -> list[str]:
        """Names of all services with a span stored, sorted."""
        return self._ask(trace_queries.services)

    def operations(self, service: str) -> list[OperationRecord]:
        """Span names of one service with their kinds, sorted."""
        return self._ask(lambda c: trace_queries.operations(c, service))

    def traces(self, trace_ids: Iterable[bytes]) -> list[TraceRecord]:
        """The traces of these ids (16 bytes each) that are stored."""
        return self._ask(lambda c: trace_queries.by_ids(c, trace_ids))

    def find_traces(self, query: TraceQuery) -> list[TraceRecord]:
        """The newest traces that fit, newest first."""
        return self._ask(lambda c: trace_queries.find(c, query))

    def dependencies(self, started_ns: int, ended_ns: int) -> list[DependencyRecord]:
        """Which service stood above which in the newest traces of that time."""
        return self._ask(lambda c: trace_queries.dependencies(c, started_ns, ended_ns))

    def saga_query(self) -> SagaQuery:
        """A query for everything as of now, to be narrowed with `dataclasses.replace`."""
        now = time.time_ns()
        return SagaQuery(now, now - int(self._config.stuck_after * 1e9))

    def find_sagas(self, query: SagaQuery) -> list[tuple[int, SagaRecord]]:
        """One page of (row id, saga)."""
        return self._ask(lambda c: saga_queries.find(c, query))

    def count_sagas(self, query: SagaQuery) -> list[StateCount]:
        """How many sagas fit, for every state."""
        return self._ask(lambda c: saga_queries.counts(c, query))

    def saga_names(self, after: str, limit: int) -> list[str]:
        """The names that sagas have, sorted, beyond `after`."""
        return self._ask(lambda c: saga_queries.saga_names(c, after, limit))

    def saga(self, saga_id: str, query: SagaQuery) -> SagaDetail | None:
        """One saga over all of its traces; None when there is none."""
        return self._ask(lambda c: saga_queries.detail(c, saga_id, query))

    def logs(self, trace_ids: Iterable[bytes], saga_id: str, limit: int) -> list[LogRecord]:
        """Log records of these traces, and those that name this saga, by time."""
        return self._ask(lambda c: saga_queries.logs(c, trace_ids, saga_id, limit))

    def edges(self) -> list[EdgeRecord]:
        """Pairs of services, from the hop metrics kept."""
        return edges(self._metrics.all())

    def queues(self) -> list[QueueRecord]:
        """Queues, from the gauges of now and the dwell of all messages kept."""
        return queues(self._metrics.all(), self._metrics.live(time.time_ns()))

    def propagation(self) -> list[PropagationRecord]:
        """Where context is continued and where it is lost, from the metrics kept."""
        return propagation(self._metrics.all())

    def breakers(self) -> list[BreakerRecord]:
        """Circuit breakers, from the metrics of services that report."""
        return breakers(self.live_series())

    def live_series(self) -> list[tuple[SeriesKey, Series]]:
        """Metric series that are not stale."""
        return list(self._metrics.live(time.time_ns()))

    def health(self) -> Health:
        """Writes something to the disk, and says what is stored."""
        counters = self._writer.counters()
        return Health(
            problem=self._write_problem(),
            spans=counters.get("spans", 0),
            traces=counters.get("traces", 0),
            log_records=counters.get("log_records", 0),
            series=self._metrics.usage()[0],
            size_bytes=self._data.file_bytes(),
            max_size_bytes=self._config.max_size,
        )

    def _write_problem(self) -> str:
        try:
            self.submit(Ping()).result(_PING_TIMEOUT_S)
        except Exception as error:  # whatever it is, it is the answer
            return str(error) or "the store does not answer"
        return ""
