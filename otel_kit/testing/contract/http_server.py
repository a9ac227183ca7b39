"""HTTP servers, asked by a client made of sockets."""

from typing import ClassVar

from otel_kit.testing.contract.base import Behaviour, Reply, ServerHarness
from otel_kit.testing.contract.http_peer import http_get, http_hang_up


class HttpServer(ServerHarness):
    """A server at `port` of loopback."""

    transport = "http"
    unknown = "GET"
    unknown_class = "client_error"
    ok_status = 200
    event_streams: ClassVar[bool] = True
    """Whether it can answer with server-sent events."""
    sees_hang_ups: ClassVar[bool] = True
    """Whether this version of it learns that a reader has gone away."""
    port: int

    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        return await http_get(self.port, f"/do/{behaviour}{path}", headers or {})

    async def hang_up(self) -> None:
        """Ask for an event stream, read some of it, and go away."""
        await http_hang_up(self.port, f"/do/{Behaviour.ENDLESS}")
