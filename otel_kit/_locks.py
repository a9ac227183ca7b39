"""Locks that a forked child gets afresh.

One that another thread holds at the fork would be held in the child for ever.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any
from weakref import WeakSet

_living: "WeakSet[ForkSafeLock]" = WeakSet()


class ForkSafeLock:
    """`with lock:`, as with a `Lock`, or an `RLock` if that is `make`."""

    def __init__(self, make: Callable[[], Any] = Lock) -> None:
        self._make = make
        self._lock = make()
        _living.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # forked, in a signal handler, by the thread that held it
            self._lock.release()

    def renew(self) -> None:
        """In a forked child, which has one thread."""
        self._lock = self._make()


def _in_child() -> None:
    for lock in list(_living):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
