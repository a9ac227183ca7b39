"""Who asks goes first: what comes in waits a moment for an answer that is being made.

Python runs one thread at a time, so that a page would else wait for a share of what all senders
together take.
"""

import threading
import time
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_MOMENT_S: Final = 0.02
"""What may be waited for one answer."""


class Answering:
    """How many answers are being made now; may be used from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers = 0
        self._busy_until = 0.0

    def first(self, app: ASGIApp) -> ASGIApp:
        """`app`, whose answers others give way to."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            self._add(1)
            try:
                await app(scope, receive, send)
            finally:
                self._add(-1)

        return answer

    def give_way(self) -> None:
        """Wait until nobody is being answered, or a moment.

        Then as much time passes as was waited before anybody waits again: however many ask, what
        comes in has half of the time.
        """
        if self._answers and (began := time.monotonic()) >= self._busy_until:
            with self._changed:
                self._changed.wait_for(lambda: not self._answers, _MOMENT_S)
            ended = time.monotonic()
            self._busy_until = ended + (ended - began)

    def _add(self, change: int) -> None:
        with self._changed:
            self._answers += change
            if not self._answers:
                self._changed.notify_all()
