"""HTTP servers, asked by a client made of sockets."""

from otel_kit.testing.contract.base import Behaviour, Reply, ServerHarness
from otel_kit.testing.contract.http_peer import http_get


class HttpServer(ServerHarness):
    """A server at `port` of loopback."""

    transport = "http"
    unknown = "GET"
    unknown_class = "client_error"
    ok_status = 200
    port: int

    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        return await http_get(self.port, f"/do/{behaviour}{path}", headers or {})
