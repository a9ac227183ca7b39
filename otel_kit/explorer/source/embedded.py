"""The embedded collector as a source, over its HTTP query API."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from otel_kit.explorer.source import fields, kit_json
from otel_kit.explorer.source.base import Answer, NotKnown, Order, Rows, SagaPage, SagaSearch
from otel_kit.explorer.source.http import TIMEOUT_S, JsonClient, Params, path_part
from otel_kit.explorer.source.problems import NotThere
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
    StateCount,
)

R = TypeVar("R")
_MAX_ROWS: Final = 10_000
_PAGE: Final = 500
_SORTS: Final[dict[Order, str]] = {
    "newest": "-started",
    "oldest": "started",
    "stalest": "stalest",
}


class EmbeddedSource:
    """Reads from ``otel-kit up``.  Safe to use from several threads."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """`url` is that of the query port; raises ValueError if it is none."""
        self._client = JsonClient(url, timeout_s=timeout_s)

    @property
    def label(self) -> str:
        """What it is and where."""
        return f"embedded collector at {self._client.url}"

    @property
    def as_of_ns(self) -> int | None:
        """None: it tells of now."""
        return None

    def limits(self) -> Sequence[str]:
        """Nothing: it keeps all there is."""
        return ()

    def find_sagas(self, search: SagaSearch) -> SagaPage:
        """One page."""
        params = {
            **_filters(search),
            "state": search.states,
            "sort": _SORTS[search.order],
            "limit": search.limit,
            "cursor": search.cursor,
        }
        answer = self._client.get("/api/sagas", params)
        rows, following = self._read("/api/sagas", lambda: _page(answer, kit_json.saga))
        return SagaPage(tuple(rows), following)

    def count_by_state(self, search: SagaSearch) -> Answer[StateCount]:
        """How many sagas fit, for every state."""
        return self._rows("/api/saga_counts", kit_json.state_count, _filters(search))

    def saga_names(self) -> Answer[str]:
        """Names of sagas, sorted."""
        return self._rows("/api/saga_names", kit_json.saga_name)

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
        page = self.find_sagas(SagaSearch(name=name, states=("completed",), limit=limit))
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

    def _rows(
        self, path: str, read: Callable[[fields.Json], R], params: Params | None = None
    ) -> Answer[R]:
        try:
            return Rows(tuple(self._all(path, read, params or {})))
        except NotThere:
            return NotKnown(f"the collector at {self._client.url} is too old to know {path}")

    def _all(self, path: str, read: Callable[[fields.Json], R], params: Params) -> Iterator[R]:
        cursor: str | None = ""
        given = 0
        while cursor is not None and given < _MAX_ROWS:
            answer = self._client.get(path, {**params, "limit": _PAGE, "cursor": cursor})
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


def _filters(search: SagaSearch) -> Params:
    return {
        "q": search.contains,
        "name": search.name,
        "service": search.service,
        "started_after_ns": search.started_after_ns,
        "started_before_ns": search.started_before_ns,
        "least_s": search.least_s,
        "most_s": search.most_s,
    }
