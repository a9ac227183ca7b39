"""The latest traces of every service: read seldom, however many pages and visitors ask."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from otel_kit.explorer.source.jaeger_v1 import by_id
from otel_kit.records import TraceRecord

DEPTH: Final = 200
"""Traces of each service looked at for one page of sagas."""
_FRESH_S: Final = 5.0
"""How long an answer stands for those that ask the same."""
_KEPT: Final = 8
"""Answers to different questions."""


class Window(NamedTuple):
    """Which traces: of one service or, if that is empty, of all; None is now and long ago."""

    service: str = ""
    since_ns: int | None = None
    before_ns: int | None = None


class Found(NamedTuple):
    """The traces by id, and whether there may be more."""

    traces: Mapping[str, TraceRecord]
    full: bool


Read = Callable[[str, Window, Mapping[str, TraceRecord]], list[TraceRecord]]
"""Reads the traces of a service in a window; those that are known need not be decoded again."""


class LatestTraces:
    """Remembers what was found.  Safe to use from several threads: they wait for one answer."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._answers: OrderedDict[Window, tuple[float, Found]] = OrderedDict()

    def find(self, window: Window, services: Callable[[], Iterable[str]]) -> Found:
        """At most `DEPTH` traces of each service, as they were not more than seconds ago."""
        with self._lock:
            read_at, found = self._answers.get(window, (0.0, Found({}, False)))
            if time.monotonic() - read_at > _FRESH_S or not read_at:
                found = self._find(window, services(), found.traces)
                self._keep(window, found)
        return found

    def _find(
        self, window: Window, services: Iterable[str], before: Mapping[str, TraceRecord]
    ) -> Found:
        found: dict[str, TraceRecord] = {}
        full = False
        for service in services:
            traces = self._read(service, window, {**before, **found})
            full = full or len(traces) >= DEPTH
            found |= by_id(traces)
        return Found(found, full)

    def _keep(self, window: Window, found: Found) -> None:
        self._answers[window] = time.monotonic(), found
        self._answers.move_to_end(window)
        while len(self._answers) > _KEPT:
            self._answers.popitem(last=False)
