"""The poll loop: the body of `for message in consumer` is the handler.

A library that hands out messages gives no scope to handle them in.  So the hop of a message begins
when it is handed out, and ends when the next one is asked for, the consumer is closed or dropped,
or nobody is left who could ask: the task or thread that took it has gone.
"""

import asyncio
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import NamedTuple
from weakref import finalize, ref

from otel_kit.hops.active import ActiveHop
from otel_kit.hops.hop import Hop
from otel_kit.hops.runtime import current, receive


class _Taken(NamedTuple):
    hop: ActiveHop
    taker: "ref[object]"


class Loops:
    """The hops that consumers have handed out and that are not ended yet."""

    def __init__(self) -> None:
        self._open: dict[int, list[_Taken]] = {}
        self._dropped: deque[_Taken] = deque()

    def handed_out(self, consumer: object, hop: Hop) -> None:
        """Begin `hop`: the caller's code after this is the handler."""
        taken = self._of(consumer)
        active = receive(hop)
        active.__enter__()
        if active.span is None:
            return
        active.defer()
        taken.append(_Taken(active, ref(_taker())))
        if (runtime := current()) is not None:
            runtime.handed_out.remember(active)

    def asked_again(self, consumer: object) -> None:
        """End what the asking task or thread, or one that has gone, took before."""
        self._end(consumer, None)

    def closed(self, consumer: object) -> None:
        """End what `consumer` handed out, but for what another task or thread is still handling.

        A consumer that is closed while an exception is on its way out was stopped by it: that is
        the error of the message that this task or thread was handling.
        """
        self._end(consumer, sys.exception())

    def handling(self, consumer: object) -> list[Hop]:
        """What `consumer` handed out and somebody is still handling; from any thread."""
        taken = list(self._open.get(id(consumer), ()))
        return [each.hop.hop for each in taken if not each.hop.ended and not _gone(each.taker())]

    def stop(self) -> None:
        """End all that was handed out by anyone."""
        self._sweep()
        while self._open:
            for each in self._open.popitem()[1]:
                _end(each)

    def _end(self, consumer: object, error: BaseException | None) -> None:
        self._sweep()
        taken = self._open.get(id(consumer))
        if not taken:
            return
        here = _taker()
        for each in list(taken):
            taker = each.taker()
            if taker is here or _gone(taker):
                taken.remove(each)
                _end(each, error if taker is here else None)

    def _of(self, consumer: object) -> list[_Taken]:
        key = id(consumer)
        taken = self._open.get(key)
        if taken is None:
            taken = self._open[key] = []
            with suppress(TypeError):  # cannot be watched: its hops wait for its close
                finalize(consumer, self._drop, key).atexit = False
        return taken

    def _drop(self, key: int) -> None:
        # Runs in the garbage collector, in the midst of anything: no span may be ended in here.
        self._dropped.extend(self._open.pop(key, ()))

    def _sweep(self) -> None:
        while self._dropped:
            _end(self._dropped.popleft())


def _end(taken: _Taken, error: BaseException | None = None) -> None:
    taken.hop.leave()
    taken.hop.end(error)


def _taker() -> object:
    try:
        return asyncio.current_task() or threading.current_thread()
    except RuntimeError:  # no event loop in this thread
        return threading.current_thread()


def _gone(taker: object) -> bool:
    if isinstance(taker, asyncio.Task):
        return taker.done()
    return not isinstance(taker, threading.Thread) or not taker.is_alive()
