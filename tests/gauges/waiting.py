"""Waiting for what another thread will do."""

import time
from collections.abc import Callable

_PATIENCE = 20.0


def until(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds; AssertionError if it never does."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)
