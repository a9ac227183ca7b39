"""A real HTTP server whose answers a test chooses, and which remembers what it was asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = Callable[[str], tuple[int, dict[str, str]]]
"""Status and headers for what a request asks for."""


class Origin:
    """One server: its port, and the target and the headers of each request, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.targets: list[str] = []
        self.headers: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@contextmanager
def origin(answer: Answer = lambda _: (200, {})) -> Iterator[Origin]:
    """Such a server on loopback; every answer has the body `body`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            made.targets.append(self.path)
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers = answer(self.path)
            self.send_response(status)
            for name, value in {"content-length": "4", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"body")

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Origin(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
