"""HTTP servers, asked by a client made of sockets."""

from tests.contract.harness.base import Behaviour, Reply, ServerHarness
from tests.contract.harness.peer import http_get


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
