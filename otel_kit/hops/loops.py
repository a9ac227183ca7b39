"""The poll loop: the body of `for message in consumer` is the handler.

A library that hands out messages gives no scope to handle them in.  So the hop of a message begins
when it is handed out, and ends when the next one is asked for, the consumer is closed or dropped,
nobody is left who could ask (the task or thread that took it has gone), or the process ends.  What
is handed to a handler ends when that returns.

`process(message)` takes the hop over, wherever it is called: then it ends with that block.  Tasks
that the body has created begin at the event loop's next turn, so a hop asked of in a task stops its
clock at once, and ends a turn later.  What begins `process()` later still (a pool of threads that
is busy, a task that waits for a semaphore first) is an INTERNAL span below a hop that has been
counted, without its error: such an application polls, and says `process()`.
"""

import asyncio
import os
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakSet, finalize, ref

from otel_kit.hops.active import ActiveHop
from otel_kit.hops.hop import Hop
from otel_kit.hops.runtime import current, receive


class Taken(NamedTuple):
    hop: ActiveHop
    taker: "ref[object]"
    process: int
    """Its id: a child that was forked in the body has no part in its parent's hops."""


class Loops:
    """The hops that consumers have handed out and that are not ended yet."""

    def __init__(self) -> None:
        self._open: dict[int, list[Taken]] = {}
        self._dropped: deque[Taken] = deque()
        self._resting: dict[int, Taken] = {}
        _all.add(self)

    def handed_out(self, consumer: object, hop: Hop | None) -> Taken | None:
        """Begin `hop`: the caller's code after this is the handler."""
        active = receive(hop)
        active.__enter__()
        if active.span is None:
            return None
        active.defer()
        taken = Taken(active, ref(_taker()), os.getpid())
        self._of(consumer).append(taken)
        if (runtime := current()) is not None:
            runtime.handed_out.remember(active)
        return taken

    def returned(self, consumer: object, taken: Taken, error: BaseException | None) -> None:
        """End what a handler was called with: it has returned, or raised `error`.

        Others of the same consumer may be under way in this very thread: a handler may let its
        connection do its work, and that calls the next.
        """
        self._sweep()
        if taken in (others := self._open.get(id(consumer), [])):
            others.remove(taken)
        if error is None and _loop_runs():
            self._rest(taken)
        else:
            _end(taken, error)

    def asked_again(self, consumer: object) -> None:
        """End what the asking task or thread, or one that has gone, took before."""
        here, in_task = _taker(), _task() is not None
        for each in self._done(consumer):
            if each.taker() is not here:
                _end(each, _error_of(each))
            elif in_task:
                self._rest(each)
            else:
                _end(each)

    def closed(self, consumer: object) -> None:
        """End what `consumer` handed out, but for what another task or thread is still handling.

        A consumer that is closed while an exception is on its way out was stopped by it: that is
        the error of the message that this task or thread was handling.
        """
        here, error = _taker(), sys.exception()
        for each in self._done(consumer):
            _end(each, error if each.taker() is here else _error_of(each))

    def handling(self, consumer: object) -> list[Hop]:
        """What `consumer` handed out and somebody is still handling; from any thread."""
        return _handled(list(self._open.get(id(consumer), ())))

    def all_handled(self) -> list[Hop]:
        """The same of all consumers."""
        return [hop for taken in list(self._open.values()) for hop in _handled(list(taken))]

    def stop(self, crash: BaseException | None = None) -> None:
        """End all that was handed out by anyone; `crash` is what the main thread died of."""
        here, error = _taker(), sys.exception() or crash
        self._sweep()
        while self._resting:
            _end(self._resting.popitem()[1])
        while self._open:
            for each in self._open.popitem()[1]:
                _end(each, error if each.taker() is here else _error_of(each))

    def _done(self, consumer: object) -> list[Taken]:
        """Take out what nobody else is still handling."""
        self._sweep()
        taken = self._open.get(id(consumer), [])
        here = _taker()
        done = [each for each in taken if each.taker() is here or _gone(each.taker())]
        for each in done:
            taken.remove(each)
        return done

    def _rest(self, taken: Taken) -> None:
        """End the hop when the tasks that its body has created have had their first turn."""
        taken.hop.leave()
        if taken.hop.ended or taken.hop.taken_over:
            return
        taken.hop.rest()
        self._resting[id(taken)] = taken
        asyncio.get_running_loop().call_soon(self._rested, id(taken))

    def _rested(self, key: int) -> None:
        taken = self._resting.pop(key, None)
        if taken is not None:
            _end(taken)

    def _of(self, consumer: object) -> list[Taken]:
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
            each = self._dropped.popleft()
            _end(each, _error_of(each))


_all: WeakSet[Loops] = WeakSet()


def stop_all() -> None:
    """End all that was handed out: the process is about to end, of an exception perhaps."""
    for loops in list(_all):
        loops.stop(getattr(sys, "last_value", None))


def _handled(taken: list[Taken]) -> list[Hop]:
    return [each.hop.hop for each in taken if not each.hop.ended and not _gone(each.taker())]


def _end(taken: Taken, error: BaseException | None = None) -> None:
    taken.hop.leave()
    if not taken.hop.taken_over and taken.process == os.getpid():
        taken.hop.end(error)


def _error_of(taken: Taken) -> BaseException | None:
    """What the task that took a message died of."""
    taker = taken.taker()
    if not isinstance(taker, asyncio.Task) or not taker.done():
        return None
    if taker.cancelled():
        return asyncio.CancelledError()
    # `exception()` would count as looking at it.
    error: BaseException | None = getattr(taker, "_exception", None)
    return error


def _taker() -> object:
    return _task() or threading.current_thread()


def _loop_runs() -> bool:
    """Also where no task does: a library's handler may be called by the event loop itself."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop in this thread
        return None


def _gone(taker: object) -> bool:
    if isinstance(taker, asyncio.Task):
        return taker.done()
    return not isinstance(taker, threading.Thread) or not taker.is_alive()
