"""requests, in a thread of its own for each call."""

from typing import Any

import requests

from otel_kit.testing.contract.base import Reply
from otel_kit.testing.contract.http_client import ThreadedHttpClient


class Requests(ThreadedHttpClient):
    library = "requests"
    timeout_error = requests.Timeout
    connection_error = requests.ConnectionError

    def _got(self, url: str, headers: Any, timeout: float) -> Reply:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, headers=headers, timeout=timeout)
        return Reply({k.lower(): v for k, v in answer.headers.items()}, answer.status_code)
