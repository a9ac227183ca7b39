"""What the kit knows of other people's objects, for as long as those live."""

from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar
from weakref import ref

from otel_kit._locks import ForkSafeLock

T = TypeVar("T")


class IdentityMap(Generic[T]):
    """Weak, and by identity: an object may be equal to another one, or not hashable at all.

    An object that cannot be weakly referred to is kept.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Callable[[], object], T]] = {}
        # An object may die, and be taken out, while its thread holds the lock.
        self._lock = ForkSafeLock(RLock)

    def get(self, owner: object) -> T | None:
        """What was set for this very object."""
        entry = self._entries.get(id(owner))
        return entry[1] if entry is not None and entry[0]() is owner else None

    def set(self, owner: object, value: T) -> None:
        """Remember `value`, which must not hold on to `owner`."""
        key = id(owner)
        with self._lock:
            self._entries[key] = (weakly(owner, lambda: self._entries.pop(key, None)), value)

    def values(self) -> list[T]:
        """All of them, in the order they were set."""
        with self._lock:
            return [value for _, value in list(self._entries.values())]


def weakly(owner: object, gone: Callable[[], object] | None = None) -> Callable[[], object]:
    """A function that returns `owner` while it lives; `gone` is called when it has died."""
    try:
        return ref(owner, None if gone is None else lambda _: gone())
    except TypeError:
        return lambda: owner
