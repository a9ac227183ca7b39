"""Jaeger with Prometheus as a source: traces from the one, figures from the other.

Jaeger keeps no index of sagas.  They are found among the latest traces of every service, by the
attribute ``saga.id``; their state is inferred from the spans.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from otel_kit import names
from otel_kit.explorer.model import facts
from otel_kit.explorer.model.state import STATES
from otel_kit.explorer.model.summary import summarise
from otel_kit.explorer.source.base import (
    IN_PROGRESS,
    Answer,
    NotKnown,
    Rows,
    SagaPage,
    SagaSearch,
)
from otel_kit.explorer.source.http import TIMEOUT_S, JsonClient
from otel_kit.explorer.source.jaeger_v1 import JaegerV1, by_id
from otel_kit.explorer.source.jaeger_v3 import JaegerV3
from otel_kit.explorer.source.latest import DEPTH, Found, LatestTraces, Window
from otel_kit.explorer.source.problems import BadAnswer
from otel_kit.explorer.source.prometheus import PrometheusRows
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
    SagaRecord,
    StateCount,
    TraceRecord,
)

_MAX_SERVICES: Final = 100
_MAX_TRACES: Final = 200
"""Traces of one saga."""
_LOOKBACK_NS: Final = 7 * 24 * 3600 * 10**9
_NO_PROMETHEUS: Final = NotKnown(
    "this comes from metrics: start the explorer with --prometheus URL"
)
_TOO_MANY: Final = NotKnown(
    "Jaeger keeps no index of sagas, and there are more traces than can be looked at to count them"
)
_LIMITS: Final = (
    "Jaeger keeps no log records: log lines are not shown, and a step is only seen when it ends.",
    "Jaeger finds sagas among the latest traces only: older ones need their full id.",
)


class TraceApi(Protocol):
    """What both versions of Jaeger's API can do."""

    def services(self) -> list[str]:
        """All services."""
        ...

    def search(
        self,
        service: str,
        tags: dict[str, str],
        started_ns: int,
        ended_ns: int,
        limit: int,
        known: Mapping[str, TraceRecord] = ...,
    ) -> list[TraceRecord]:
        """The latest traces of a service with these tags; `known` are as they were a while ago."""
        ...

    def trace(self, trace_id: str) -> TraceRecord | None:
        """One trace."""
        ...


class JaegerSource:
    """Reads from Jaeger's query API and, if `prometheus_url` is given, Prometheus's.

    Safe to use from several threads.
    """

    def __init__(
        self, jaeger_url: str, prometheus_url: str | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Raises ValueError for what is no address."""
        self._client = JsonClient(jaeger_url, timeout_s=timeout_s)
        self._metrics = PrometheusRows(prometheus_url, timeout_s) if prometheus_url else None
        self._found_api: TraceApi | None = None
        self._latest = LatestTraces(self._read)

    @property
    def label(self) -> str:
        """What it is and where."""
        metrics = f", Prometheus at {self._metrics.url}" if self._metrics else ""
        return f"Jaeger at {self._client.url}{metrics}"

    as_of_ns: int | None = None  # it tells of now

    def limits(self) -> Sequence[str]:
        """What neither Jaeger nor, if it is missing, Prometheus tells."""
        return _LIMITS if self._metrics else (*_LIMITS, _NO_PROMETHEUS.reason)

    # -- sagas ----------------------------------------------------------------------------------

    def find_sagas(self, search: SagaSearch) -> SagaPage:
        """One page, of the sagas in the latest traces: those before the cursor for newest first.

        Jaeger cannot look from any other end: the oldest and the stalest are the oldest and the
        stalest of the latest, and a note says so where there are more.
        """
        if search.order == "newest":
            return self._newest(search)
        found, full = self._among_latest(search)
        return _ordered(found, search, full)

    def _newest(self, search: SagaSearch) -> SagaPage:
        now = time.time_ns()
        before = search.started_before_ns
        if search.cursor.isdecimal():
            before = min(int(search.cursor), before or now)
        traces, full = self._looked_at(search, before)
        rows = [row for row in _rows(traces.values(), now) if row.started_ns < (before or now)]
        rows.sort(key=lambda row: -row.started_ns)
        if not any(row.id == search.contains for row in rows) and search.contains:
            rows += self._by_full_id(search)
        found = [row for row in rows if search.admits(row)]
        page = found[: search.limit]
        following = _next(page, traces.values(), len(found) > search.limit, full)
        return SagaPage(tuple(page), following, _LIMITS[1:] if full else ())

    def _among_latest(self, search: SagaSearch) -> tuple[list[SagaRecord], bool]:
        """The sagas of the latest traces that fit; whether there may be more."""
        traces, full = self._looked_at(search, search.started_before_ns)
        rows = _rows(traces.values(), time.time_ns())
        return [row for row in rows if search.admits(row)], full

    def count_by_state(self, search: SagaSearch) -> Answer[StateCount]:
        """How many sagas of the last week fit; not known where those are too many to look at."""
        found, full = self._among_latest(replace(search, states=()))
        if full:
            return _TOO_MANY
        counted = Counter(row.state for row in found)
        return Rows(tuple(StateCount(each, counted[each]) for each in STATES), _LOOKBACK_NS / 1e9)

    def saga_names(self) -> Answer[str]:
        """Names of the sagas in the latest traces, sorted."""
        found, _ = self._among_latest(SagaSearch())
        return Rows(tuple(sorted({row.name for row in found} - {""})))

    def _looked_at(self, search: SagaSearch, before_ns: int | None) -> Found:
        """Traces that can be of sagas; whether there may be more."""
        window = Window(search.service, search.started_after_ns, before_ns)
        return self._latest.find(
            window, lambda: [window.service] if window.service else self._services()
        )

    def _read(
        self, service: str, window: Window, known: Mapping[str, TraceRecord]
    ) -> list[TraceRecord]:
        now = time.time_ns()
        since = max(window.since_ns or 0, now - _LOOKBACK_NS)
        before = min(window.before_ns or now, now)
        return self._api().search(service, {}, since, before, DEPTH, known)

    def _by_full_id(self, search: SagaSearch) -> list[SagaRecord]:
        found = self.saga(search.contains)
        since = search.started_after_ns or 0
        return [found.saga] if found and found.saga.started_ns >= since else []

    def saga(self, saga_id: str) -> SagaDetail | None:
        """A saga over all traces that have a span of it, without log records; None if none has."""
        traces = self._traces_of(saga_id)
        if not traces:
            return None
        row = summarise(saga_id, traces, (), time.time_ns())
        return SagaDetail(row, traces[:_MAX_TRACES], (), len(traces) > _MAX_TRACES)

    def _traces_of(self, saga_id: str) -> list[TraceRecord]:
        found: dict[str, TraceRecord] = {}
        now = time.time_ns()
        for service in self._services():
            tags = {names.SAGA_ID: saga_id}
            found |= by_id(self._api().search(service, tags, 0, now + 10**9, _MAX_TRACES + 1))
        return sorted(found.values(), key=_start)

    def samples(self, name: str, limit: int = 20) -> Sequence[SagaDetail]:
        """The latest completed sagas of this name, as far as the latest traces have them."""
        wanted = SagaSearch(name=name, states=("completed",))
        found = _details(self._looked_at(wanted, None).traces.values(), time.time_ns())
        found.sort(key=lambda detail: -detail.saga.started_ns)
        return [detail for detail in found if wanted.admits(detail.saga)][:limit]

    # -- figures --------------------------------------------------------------------------------

    def edges(self) -> Answer[EdgeRecord]:
        """Pairs of services that talk."""
        return self._metrics.edges() if self._metrics else _NO_PROMETHEUS

    def queues(self) -> Answer[QueueRecord]:
        """Queues with their consumers' groups."""
        return self._metrics.queues() if self._metrics else _NO_PROMETHEUS

    def breakers(self) -> Answer[BreakerRecord]:
        """Circuit breakers."""
        return self._metrics.breakers() if self._metrics else _NO_PROMETHEUS

    def propagation(self) -> Answer[PropagationRecord]:
        """What became of the context, hop by hop."""
        return self._metrics.propagation() if self._metrics else _NO_PROMETHEUS

    def trace_url(self, trace_id: str) -> str | None:
        """Jaeger's own page of the trace."""
        return f"{self._client.url}/trace/{trace_id}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        if self._metrics:
            self._metrics.close()

    # -- which API ------------------------------------------------------------------------------

    def _services(self) -> list[str]:
        return self._api().services()[:_MAX_SERVICES]

    def _api(self) -> TraceApi:
        """Version 1 where it is there, else version 3.

        For a path that it does not know, Jaeger may also answer with its start page.
        """
        if self._found_api is None:
            self._found_api = self._first_that_answers()
        return self._found_api

    def _first_that_answers(self) -> TraceApi:
        first, then = JaegerV1(self._client), JaegerV3(self._client)
        try:
            first.services()
        except BadAnswer as not_first:
            try:
                then.services()
            except BadAnswer:
                raise not_first from None
            return then
        return first


def _rows(traces: Iterable[TraceRecord], now_ns: int) -> list[SagaRecord]:
    return [detail.saga for detail in _details(traces, now_ns)]


def _details(traces: Iterable[TraceRecord], now_ns: int) -> list[SagaDetail]:
    sagas: dict[str, list[TraceRecord]] = {}
    for trace in traces:
        ids = {facts.text(span.attributes, names.SAGA_ID) for span in trace.spans}
        for saga_id in ids - {""}:
            sagas.setdefault(saga_id, []).append(trace)
    return [
        SagaDetail(summarise(saga_id, found, (), now_ns), sorted(found, key=_start), (), False)
        for saga_id, found in sagas.items()
    ]


def _ordered(found: list[SagaRecord], search: SagaSearch, full: bool) -> SagaPage:
    """A page of those that stand beyond the cursor in the order asked for."""
    keyed = [(_place(row, search), row) for row in found]
    if search.order == "stalest":
        keyed = [each for each in keyed if each[1].state in IN_PROGRESS]
    if search.cursor:
        keyed = [each for each in keyed if each[0] > search.cursor]
    keyed.sort(key=lambda each: each[0])
    page = keyed[: search.limit]
    following = page[-1][0] if len(keyed) > search.limit else None
    return SagaPage(tuple(row for _, row in page), following, _LIMITS[1:] if full else ())


def _place(row: SagaRecord, search: SagaSearch) -> str:
    """What oldest and stalest first go by: a time, as text of one length, then the id."""
    return f"{row.active_ns if search.order == 'stalest' else row.started_ns:020} {row.id}"


def _next(
    page: Sequence[SagaRecord], traces: Iterable[TraceRecord], more: bool, full: bool
) -> str | None:
    """Go on before the page's oldest, or before the oldest trace if none of them fitted."""
    if more:
        return str(page[-1].started_ns)
    if full:
        return str(min(map(_start, traces)))
    return None


def _start(trace: TraceRecord) -> int:
    return min((span.started_ns for span in trace.spans), default=0)
