"""The poll loop: the body of `for message in consumer` is the handler.

A library that hands out messages gives no scope to handle them in.  So the hop of a message begins
when it is handed out, and ends when the next one is asked for, the consumer is closed, or nobody
is left who could ask: the task or thread that took it has gone.
"""

import asyncio
import threading
from weakref import WeakKeyDictionary, ref

from otel_kit.hops.active import ActiveHop

_Taker = "ref[asyncio.Task[object]] | ref[threading.Thread]"


class Loops:
    """The hops that consumers have handed out and that are not ended yet."""

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[object, list[tuple[ActiveHop, ref[object]]]] = (
            WeakKeyDictionary()
        )

    def handed_out(self, consumer: object, hop: ActiveHop) -> None:
        """Begin `hop`: the caller's code after this is the handler."""
        hop.__enter__()
        hop.defer()
        self._open.setdefault(consumer, []).append((hop, ref(_taker())))

    def asked_again(self, consumer: object) -> None:
        """End what the asking task or thread, or one that has gone, took before."""
        taken = self._open.get(consumer)
        if not taken:
            return
        asking = _taker()
        for entry in list(taken):
            hop, taker = entry
            if taker() is asking or _gone(taker()):
                taken.remove(entry)
                hop.leave()
                hop.end()

    def closed(self, consumer: object) -> None:
        """End all that `consumer` handed out."""
        for hop, _ in self._open.pop(consumer, ()):
            hop.leave()
            hop.end()


def _taker() -> object:
    try:
        return asyncio.current_task() or threading.current_thread()
    except RuntimeError:  # no event loop in this thread
        return threading.current_thread()


def _gone(taker: object) -> bool:
    if isinstance(taker, asyncio.Task):
        return taker.done()
    return not isinstance(taker, threading.Thread) or not taker.is_alive()
