"""What one partition of a log still holds for its consumer: arithmetic on offsets and times.

Offsets are those of the next message: a partition is empty when the position is the end.  Times are
seconds since the epoch.
"""

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

_MAX_SEEN = 256


class Known(NamedTuple):
    """What the consumer itself knows of a partition, without asking anybody."""

    position: int
    """The next message that it will hand out."""
    end: int | None
    """Where the log ended when the broker last said so."""
    fresh: bool
    """Whether that was just now; not so while a partition is paused, or nobody fetches."""


class _Seen(NamedTuple):
    end: int
    at: float


class Backlog:
    """The messages between what a consumer has handled and the end of a partition.

    The age of the oldest is known from its own time while it is being handled.  Before it was
    fetched it is known from when the log was first seen to reach beyond it, which is late by one
    look at most; a backlog older than the first look is as old as the message handled last.
    """

    def __init__(self) -> None:
        self._position = self._handled = self._end = 0
        self._first: int | None = None
        self._seen: deque[_Seen] = deque()
        self._sent_at: float | None = None
        self._last: float | None = None
        self._told: int | None = None
        self._confirmed_at = -math.inf

    def look(self, known: Known, in_hand: Mapping[int, float | None], now: float) -> None:
        """Take in what the consumer knows; `in_hand` are offset and time of what it handed out."""
        if known.fresh:
            self._told, self._confirmed_at = None, now
        self._position = known.position
        self._handled = min([*in_hand, known.position])
        self._sent_at = in_hand.get(self._handled)
        self._last = self._sent_at or self._last
        self._end = max(known.end or 0, self._told or 0, known.position)
        self._note(now)

    def told(self, end: int, now: float) -> None:
        """The broker, asked, says where the log ends."""
        self._told, self._confirmed_at = end, now
        self._end = max(end, self._position)
        self._note(now)

    @property
    def depth(self) -> int:
        """Messages that the consumer has not handed out yet."""
        return self._end - self._position

    @property
    def lag(self) -> int:
        """The same, and those being handled."""
        return self._end - self._handled

    def lag_time(self, now: float) -> float:
        """Age in seconds of the oldest message that is not handled; 0 if there is none."""
        return max(0.0, now - self._since()) if self.lag else 0.0

    def doubtful(self, oldest: float) -> bool:
        """Whether it seems to be empty, and nobody has confirmed that since `oldest`."""
        return not self.lag and self._confirmed_at < oldest

    def _since(self) -> float:
        if self._sent_at is not None:
            return self._sent_at
        if self._last is not None and self._first is not None and self._handled < self._first:
            return self._last
        return self._seen[0].at

    def _note(self, now: float) -> None:
        seen = self._seen
        while seen and seen[0].end <= self._handled:
            seen.popleft()
        if self._first is None:
            self._first = self._end
        if self._end > (seen[-1].end if seen else self._handled):
            seen.append(_Seen(self._end, now))
        if len(seen) > _MAX_SEEN:  # every other look is enough
            self._seen = deque([seen[0], *list(seen)[2::2]])
