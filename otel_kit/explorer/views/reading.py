"""What the pages ask the source, remembered for moments: a click must not read everything again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import streamlit as st

from otel_kit.explorer import options
from otel_kit.explorer.model.explain import explain
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.segments import Segment, segments
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.usual import Usual, learn
from otel_kit.explorer.model.verdict import Verdict, judge
from otel_kit.explorer.source import Answer, BundleSource, NotKnown, Rows, Source
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
)

R = TypeVar("R")
_FRESH_S: Final = 2.0
_SETTLED_S: Final = 60.0
_OPENED: Final = "otel_kit.opened_source"


@dataclass(frozen=True)
class Figures:
    """What the metrics say now, each with the time it was measured over, or why it is unknown."""

    edges: Answer[EdgeRecord]
    queues: Answer[QueueRecord]
    breakers: Answer[BreakerRecord]
    propagation: Answer[PropagationRecord]

    @property
    def around(self) -> Surroundings:
        """The same as the model takes it."""
        return Surroundings(
            _rows(self.edges), _rows(self.queues), _rows(self.breakers), _rows(self.propagation)
        )

    @property
    def window_s(self) -> float | None:
        """Seconds that the edges were measured over, None: since the services began."""
        return self.edges.window_s if isinstance(self.edges, Rows) else None


@dataclass(frozen=True)
class Opened:
    """A saga with everything concluded about it, as of `now_ns`.

    The figures around it were measured over `window_s` seconds, None: since the services began.
    It was read at `read_at` of the monotonic clock, which took `took_s` seconds.
    """

    detail: SagaDetail
    story: Story
    verdict: Verdict
    sentence: str
    now_ns: int
    window_s: float | None
    read_at: float
    took_s: float

    @property
    def outdated(self) -> bool:
        """Whether to read it again: soon while more is to be expected, at leisure later."""
        since_s = (self.now_ns - self.story.ended_ns) / 1e9
        moving = self.in_progress or since_s < _SETTLED_S
        return moving and time.monotonic() - self.read_at > max(_FRESH_S, 10 * self.took_s)

    @property
    def in_progress(self) -> bool:
        """Whether more may come."""
        return self.verdict.awaited is not None

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The bars of the timeline."""
        return segments(self.story, self.verdict.steps, self.now_ns)


def _rows(answer: Answer[R]) -> tuple[R, ...] | None:
    return None if isinstance(answer, NotKnown) else answer.rows


def source() -> Source:
    """The file that this visitor opened, else what the explorer was started for."""
    return opened_file() or _started_for()


def opened_file() -> BundleSource | None:
    """The file that this visitor opened."""
    opened: BundleSource | None = st.session_state.get(_OPENED)
    return opened


def look_at(opened: BundleSource | None) -> None:
    """Read from `opened` from now on, None: again from what the explorer was started for."""
    st.session_state[_OPENED] = opened
    forget()


def now_ns() -> int:
    """The time at which the source is looked at, nanoseconds."""
    return source().as_of_ns or time.time_ns()


def is_live() -> bool:
    """Whether pages should follow what happens: not for a file, nor when the visitor said no."""
    return source().as_of_ns is None and bool(st.session_state.get("live", True))


def figures() -> Figures:
    """What the metrics say, at most 2 seconds old."""
    return _figures(source().label, source)


def opened(saga_id: str) -> Opened | None:
    """A saga, a few seconds old at most while it moves; None if the source has none of this id.

    A large one is read less often, so that no more than a tenth of the time goes into reading.
    """
    asked = source()
    found = _opened(asked.label, saga_id, source)
    if asked.as_of_ns is None and (found is None or found.outdated):
        _opened.clear(asked.label, saga_id, source)
        found = _opened(asked.label, saga_id, source)
    return found


def stories(name: str) -> tuple[Story, ...]:
    """The latest healthy sagas of this name, at most a minute old."""
    return _stories(source().label, name, source)


def saga_names() -> Answer[str]:
    """Names of sagas, at most a minute old."""
    return _saga_names(source().label, source)


def forget() -> None:
    """Ask the source again for everything."""
    for remembered in (_figures, _opened, _stories, _saga_names):
        remembered.clear()


@st.cache_resource(show_spinner=False)
def _started_for() -> Source:
    return options.of_this_process().source()


@st.cache_resource(ttl=2, max_entries=8, show_spinner=False)
def _figures(label: str, _source: Callable[[], Source]) -> Figures:
    asked = _source()
    return Figures(asked.edges(), asked.queues(), asked.breakers(), asked.propagation())


@st.cache_resource(ttl=60, max_entries=16, show_spinner="Reading all its traces …")
def _opened(label: str, saga_id: str, _source: Callable[[], Source]) -> Opened | None:
    began = time.monotonic()
    detail = _source().saga(saga_id)
    if detail is None:
        return None
    now = now_ns()
    story = stitch(detail, correct_skew=True)
    around = figures()
    verdict = judge(story, now, _usual(detail), around.around)
    sentence = explain(story, verdict)
    read_at = time.monotonic()
    return Opened(detail, story, verdict, sentence, now, around.window_s, read_at, read_at - began)


def _usual(detail: SagaDetail) -> Usual | None:
    asked = source()
    if isinstance(asked, BundleSource):
        return asked.usual
    return learn(stories(detail.saga.name), besides=detail.saga.id)


@st.cache_resource(ttl=60, max_entries=16, show_spinner=False)
def _stories(label: str, name: str, _source: Callable[[], Source]) -> tuple[Story, ...]:
    samples = _source().samples(name)  # of any name, for one that has none
    return tuple(stitch(detail) for detail in samples if detail.saga.name == name)


@st.cache_resource(ttl=60, max_entries=16, show_spinner=False)
def _saga_names(label: str, _source: Callable[[], Source]) -> Answer[str]:
    return _source().saga_names()
