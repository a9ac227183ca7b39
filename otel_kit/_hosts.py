"""Refuses requests that name us by a foreign name.

A web page can point a name of its own at this machine (DNS rebinding) and then read our answers
with the visitor's browser.  The browser still says in ``Host`` which name it followed; an address
or ``localhost`` cannot be pointed elsewhere, and other names have to be allowed.  gRPC needs no
such check: no web page can speak it.
"""

import ipaddress
from collections.abc import Iterable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class HostCheck:
    """ASGI middleware: 403 for a ``Host`` that is no address, ``localhost`` or one of `allowed`."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        """`allowed` are names without port."""
        self._app = app
        self._allowed = {"localhost", *(name.lower() for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        name = _host(scope)
        if name is None or name in self._allowed or _is_address(name):
            await self._app(scope, receive, send)
            return
        reason = f"host {name[:100]!r} is not served here; allow it with --allowed-host"
        await JSONResponse({"error": reason, "status": 403}, 403)(scope, receive, send)


def _host(scope: Scope) -> str | None:
    """Lower-case and without port; None when the client, which is no browser, names none."""
    found = (value for key, value in scope.get("headers", ()) if key == b"host")
    value = next(found, b"").decode("latin-1").strip().lower()
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.rpartition(":")[0] or value or None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
