"""When the sagas of this process began; the latest of them are remembered."""

import time
from collections import OrderedDict
from collections.abc import Hashable

from otel_kit._locks import ForkSafeLock

_REMEMBERED = 10_000


class Begun:
    """A flow that was entered before, or has ended, does not begin again under the same key."""

    def __init__(self) -> None:
        self._at: OrderedDict[Hashable, float | None] = OrderedDict()
        self._lock = ForkSafeLock()

    def begin(self, key: Hashable) -> bool:
        """Whether it begins now, and has not begun here before."""
        with self._lock:
            new = key not in self._at
            if new:
                self._at[key] = time.time()
            self._at.move_to_end(key)
            if len(self._at) > _REMEMBERED:
                self._at.popitem(last=False)
        return new

    def end(self, key: Hashable) -> float | None:
        """When it began, in seconds since the epoch; None if not here, or if it had ended."""
        with self._lock:
            at = self._at.get(key)
            if key in self._at:
                self._at[key] = None
        return at
