"""Run a module as a child that ends when its parent does, however the parent ends.

The parent holds the other end of this process's stdin and never writes to it.  When the
parent is gone, even by ``kill -9``, reading returns; that works on every Unix.
"""

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

GRACE: Final = 5.0
"""Seconds between asking and forcing."""


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
