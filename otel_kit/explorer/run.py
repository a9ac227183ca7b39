"""``otel-kit explore``: serves the pages in the foreground until Ctrl-C or SIGTERM."""

import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from otel_kit._listening import address, listen
from otel_kit.explorer.options import Options, tell_this_process

_HERE: Final = Path(__file__).parent
_GRACE_S: Final = 2
"""How long requests in progress may take to finish at the end."""


def serve(
    options: Options,
    host: str,
    port: int,
    allowed_hosts: Sequence[str] = (),
    *,
    leash: bool = False,
) -> int:
    """Serve until told to end; returns 0.

    A `port` of 0 takes any free one.  With a `leash`, closing standard input is telling to end.
    Raises PortTaken, CannotOpen or ValueError before anything is served.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    if leash:
        threading.Thread(target=_end_with_stdin, name="otel-kit-leash", daemon=True).start()
    options.source().close()  # what cannot be read is better said here than on every page
    with listen(host, port, "--port") as sock:
        tell_this_process(options)
        _run(sock, host, allowed_hosts)
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # Ctrl-C and the leash may both tell it
    sys.exit(0)


def _end_with_stdin() -> None:
    """The other end is held by who started this process: when that is gone, reading returns."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _run(sock: socket.socket, host: str, allowed_hosts: Sequence[str]) -> None:
    import streamlit as st
    import uvicorn
    from starlette.middleware import Middleware

    from otel_kit._hosts import HostCheck
    from otel_kit.explorer import left_pages

    left_pages.stay_away()
    url = f"http://{address(host, sock.getsockname()[1])}"

    @asynccontextmanager
    async def greeting(app: st.App) -> AsyncIterator[None]:
        print(f"explorer   {url}  (Ctrl-C stops)", flush=True)  # noqa: T201  # the command's output
        yield

    app = st.App(
        _HERE / "app.py",
        lifespan=greeting,
        middleware=[Middleware(HostCheck, (host, *allowed_hosts))],
    )
    config: dict[str, Any] = {"ws": "websockets-sansio", "server_header": False}
    quiet: dict[str, Any] = {"log_level": "warning", "access_log": False}
    uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=_GRACE_S, **config, **quiet)).run(
        [sock]
    )
