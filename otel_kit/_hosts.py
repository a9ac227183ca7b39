"""Refuses requests that name us by a foreign name.

A web page can point a name of its own at this machine (DNS rebinding) and then read our answers
with the visitor's browser.  The browser still says in ``Host`` which name it followed; an address
or ``localhost`` cannot be pointed elsewhere, and other names have to be allowed.  gRPC needs no
such check: no web page can speak it.

Any page can also open a WebSocket to us by our own name; then ``Origin`` says whose page it is.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class HostCheck:
    """ASGI middleware: 403 for a name that is no address, ``localhost`` or one of `allowed`.

    Asked are the ``Host`` of every request, and the ``Origin`` of a WebSocket.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        """`allowed` are names without port."""
        self._app = app
        self._allowed = {"localhost", *(name.lower() for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        for name in (_host(scope), _origin(scope)):
            if name is not None and name not in self._allowed and not _is_address(name):
                await _refuse(name, scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refuse(name: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})  # before it is accepted: the server answers 403
        return
    reason = f"host {name[:100]!r} is not served here; allow it with --allowed-host"
    await JSONResponse({"error": reason, "status": 403}, 403)(scope, receive, send)


def _host(scope: Scope) -> str | None:
    """Lower-case and without port; None when the client, which is no browser, names none."""
    value = _header(scope, b"host")
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.rpartition(":")[0] or value or None


def _origin(scope: Scope) -> str | None:
    """The host of the page that opens a WebSocket, None if it is no page."""
    value = _header(scope, b"origin") if scope["type"] == "websocket" else ""
    try:
        return (urlsplit(value).hostname or value) or None
    except ValueError:
        return value


def _header(scope: Scope, name: bytes) -> str:
    found = (value for key, value in scope.get("headers", ()) if key == name)
    return next(found, b"").decode("latin-1").strip().lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
