"""A subscriber that nobody instruments: a real HTTP server that answers as it is told."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

HANGS_UP = 0


class Asked(NamedTuple):
    """One request."""

    headers: dict[str, str]
    body: bytes


class Subscriber:
    """`answers` are the statuses of the next requests, 204 after the last."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.url = f"http://{address}/secret-of-the-subscriber"
        self.answers: deque[int] = deque()
        self.asked: list[Asked] = []


@contextmanager
def subscriber() -> Iterator[Subscriber]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.asked.append(Asked(headers, self.rfile.read(length)))
            status = found.answers.popleft() if found.answers else 204
            if status != HANGS_UP:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Subscriber(f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()
