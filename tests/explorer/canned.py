"""A real HTTP server on loopback that answers what a test wrote down."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Canned:
    """What to answer by path, and what was asked: (path, parameters)."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def say(self, path: str, answer: Any, status: int = 200) -> None:
        """Answer a GET of `path` with JSON, or with bytes as they are."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.answers[path] = status, body


@contextmanager
def canned() -> Iterator[Canned]:
    """The server, while the block lasts; what it does not know is 404."""
    said = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            said.asked.append((parts.path, parse_qs(parts.query)))
            status, body = said.answers.get(parts.path, (404, b"no such page"))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        said.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield said
        finally:
            server.shutdown()
            thread.join()
