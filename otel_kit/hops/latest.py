"""What is known of the latest of many objects, each by its identity."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import ref

from otel_kit._locks import ForkSafeLock

T = TypeVar("T")


class Latest(Generic[T]):
    """A bounded memory from objects to values; neither equal nor hashable need they be.

    Objects are referred to weakly, so that nothing is kept alive for it; one that cannot be is
    kept.  For any thread.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._entries: OrderedDict[int, tuple[Callable[[], object], T]] = OrderedDict()
        self._lock = ForkSafeLock()

    def put(self, key: object, value: T) -> None:
        with self._lock:
            self._entries[id(key)] = _referring(key), value
            self._entries.move_to_end(id(key))
            if len(self._entries) > self._bound:
                self._entries.popitem(last=False)

    def get(self, key: object) -> T | None:
        entry = self._entries.get(id(key))
        return entry[1] if entry is not None and entry[0]() is key else None

    def replace(self, key: object, old: T, new: T) -> None:
        """Exchange the value, if it is `old` (the very same) still."""
        with self._lock:
            entry = self._entries.get(id(key))
            if entry is not None and entry[1] is old:
                self._entries[id(key)] = entry[0], new


def _referring(key: object) -> Callable[[], object]:
    try:
        return ref(key)
    except TypeError:
        return lambda: key
