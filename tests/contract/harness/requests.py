"""requests, in a thread of its own for each call."""

from typing import Any

import requests

from otel_kit.testing.contract.base import Reply
from otel_kit.testing.contract.http_client import ThreadedHttpClient


class Requests(ThreadedHttpClient):
    library = "requests"
    timeout_error = requests.Timeout
    connection_error = requests.ConnectionError
    broken_error = requests.exceptions.ChunkedEncodingError

    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, headers=headers, timeout=timeout)
        return Reply({k.lower(): v for k, v in answer.headers.items()}, answer.status_code)

    def _read(self, url: str, stop: bytes) -> None:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(url, stream=True) as answer:
                for part in answer.iter_content(None):
                    if self.arrived(part, stop):
                        break
