"""The embedded collector as a source, over its HTTP query API."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from otel_kit.explorer.source import fields, kit_json
from otel_kit.explorer.source.base import Answer, NotKnown, Rows, SagaPage, SagaSearch
from otel_kit.explorer.source.http import TIMEOUT_S, JsonClient, path_part
from otel_kit.explorer.source.problems import NotThere
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
    SagaRecord,
)

R = TypeVar("R")
_MAX_ROWS: Final = 10_000
_PAGE: Final = 500
_LOOKED_AT: Final = 2_000
"""Sagas read for one page when the reader filters by what the API cannot: time and duration."""


class EmbeddedSource:
    """Reads from ``otel-kit up``.  Safe to use from several threads."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """`url` is that of the query port; raises ValueError if it is none."""
        self._client = JsonClient(url, timeout_s=timeout_s)

    @property
    def label(self) -> str:
        """What it is and where."""
        return f"embedded collector at {self._client.url}"

    def limits(self) -> Sequence[str]:
        """Nothing: it keeps all there is."""
        return ()

    def find_sagas(self, search: SagaSearch) -> SagaPage:
        """One page; time and duration are filtered here, within `_LOOKED_AT` sagas a page."""
        found: list[SagaRecord] = []
        cursor: str | None = search.cursor
        looked_at = 0
        while len(found) < search.limit and looked_at < _LOOKED_AT and cursor is not None:
            size = search.limit - len(found) if _exact(search) else search.limit
            rows, cursor = self._sagas(search, cursor, size)
            found += [row for row in rows if search.admits(row)]
            looked_at += len(rows)
            if not rows or _past(search, rows[-1]):
                cursor = None
        return SagaPage(tuple(found), cursor)

    def _sagas(
        self, search: SagaSearch, cursor: str, limit: int
    ) -> tuple[list[SagaRecord], str | None]:
        params = {
            "q": search.contains,
            "state": search.state,
            "name": search.name,
            "service": search.service,
            "sort": "-started" if search.newest_first else "started",
            "limit": limit,
            "cursor": cursor,
        }
        answer = self._client.get("/api/sagas", params)
        return self._read("/api/sagas", lambda: _page(answer, kit_json.saga))

    def saga(self, saga_id: str) -> SagaDetail | None:
        """A saga with all its traces, spans and logs; None if there is none."""
        path = f"/api/sagas/{path_part(saga_id)}"
        try:
            answer = self._client.get(path)
        except NotThere:
            return None
        rows, _ = self._read(path, lambda: _page(answer, kit_json.detail))
        return rows[0] if rows else None

    def samples(self, name: str, limit: int = 20) -> Sequence[SagaDetail]:
        """The latest completed sagas of this name."""
        page = self.find_sagas(SagaSearch(name=name, state="completed", limit=limit))
        found = (self.saga(row.id) for row in page.rows)
        return [detail for detail in found if detail is not None]

    def edges(self) -> Answer[EdgeRecord]:
        """Pairs of services, since they began."""
        return self._rows("/api/edges", kit_json.edge)

    def queues(self) -> Answer[QueueRecord]:
        """Queues with their consumers' groups."""
        return self._rows("/api/queues", kit_json.queue)

    def breakers(self) -> Answer[BreakerRecord]:
        """Circuit breakers."""
        return self._rows("/api/breakers", kit_json.breaker)

    def propagation(self) -> Answer[PropagationRecord]:
        """What became of the context, hop by hop."""
        return self._rows("/api/propagation", kit_json.propagation)

    def trace_url(self, trace_id: str) -> str | None:
        """None: the collector has no pages."""
        return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _rows(self, path: str, read: Callable[[fields.Json], R]) -> Answer[R]:
        try:
            return Rows(tuple(self._all(path, read)))
        except NotThere:
            return NotKnown(f"the collector at {self._client.url} is too old to know {path}")

    def _all(self, path: str, read: Callable[[fields.Json], R]) -> Iterator[R]:
        cursor: str | None = ""
        given = 0
        while cursor is not None and given < _MAX_ROWS:
            answer = self._client.get(path, {"limit": _PAGE, "cursor": cursor})
            rows, cursor = self._read(path, partial(_page, answer, read))
            given += len(rows)
            yield from rows
            if not rows:
                return

    def _read(self, path: str, read: Callable[[], R]) -> R:
        return fields.reading(self._client.url + path, read)


def _page(answer: Any, read: Callable[[fields.Json], R]) -> tuple[list[R], str | None]:
    page = fields.mapping(answer, "the answer")
    rows = [read(row) for row in fields.objects(page.get("data"), "data")]
    return rows, fields.text(page, "next") or None


def _exact(search: SagaSearch) -> bool:
    """Whether the API itself can answer the search."""
    return (
        search.started_after_ns is None
        and search.started_before_ns is None
        and search.least_s is None
        and search.most_s is None
    )


def _past(search: SagaSearch, last: SagaRecord) -> bool:
    """Whether no later row can fit."""
    if search.newest_first:
        return search.started_after_ns is not None and last.started_ns < search.started_after_ns
    return search.started_before_ns is not None and last.started_ns >= search.started_before_ns
