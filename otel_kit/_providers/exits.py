"""The end of a process: ``atexit``, and SIGTERM, which would skip it.

On SIGTERM telemetry is flushed within the deadline; then whatever would have happened happens: the
handler that was there before is called, or the process ends by the signal, exit status and all.
Python runs handlers between bytecodes of the main thread, so while that is inside a long call in C
(a big query, a model's training step) the process ends only after it: without us it would end at
once.  Where that matters set SIGTERM to `signal.SIG_DFL` after `instrument()`; what is not
delivered yet is then lost.
A handler the application installs later replaces ours, as it would any other.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class ExitHooks:
    """`flush` is called on SIGTERM, `close` at exit; neither raises, both keep their deadline."""

    def __init__(self, flush: Callable[[], object], close: Callable[[], object]) -> None:
        self._flush, self._close = flush, close
        self._previous: Any = None
        self._handler: Any = None
        self._flushing = False
        atexit.register(close)
        if threading.current_thread() is threading.main_thread():
            self._install()

    def _install(self) -> None:
        previous = signal.getsignal(signal.SIGTERM)
        # None: a handler not made by Python.  Ignored: the signal will not end the process.
        if previous not in (None, signal.SIG_IGN):
            self._previous, self._handler = previous, self._on_sigterm
            signal.signal(signal.SIGTERM, self._handler)

    def remove(self) -> None:
        """Undo it, where nobody has installed a handler since."""
        atexit.unregister(self._close)
        self._flush = lambda: None
        in_main = threading.current_thread() is threading.main_thread()
        if self._handler is not None and in_main:
            if signal.getsignal(signal.SIGTERM) is self._handler:
                signal.signal(signal.SIGTERM, self._previous)
            self._handler = None

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if not self._flushing:  # a second SIGTERM does not wait
            self._flushing = True
            self._flush()
            self._flushing = False
        if callable(self._previous):
            self._previous(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Still here: the kernel spares process 1 the default action.
        signal.signal(number, self._handler)
