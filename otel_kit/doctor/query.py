"""Asks a query API; only the standard library, so that the bare package can."""

import json
import math
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_TIMEOUT_S: Final = 10
_MAX_BODY: Final = 64 * 1024 * 1024
_MAX_PAGES: Final = 20
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)\{(.*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# What was asked for is asked directly: a proxy of the environment is not for loopback.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):
    """Nobody answered, or not what was expected; the message says how."""


class Sample(NamedTuple):
    """One line of Prometheus' text format."""

    labels: dict[str, str]
    value: float


class QueryApi:
    """A query API at a base URL.  Every method raises NoAnswer."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def rows(self, path: str) -> Iterator[dict[str, Any]]:
        """The rows of one of the kit's own lists, page by page."""
        following: str | None = None
        for _ in range(_MAX_PAGES):
            page = self.json(f"{path}?cursor={following}" if following else path)
            if not isinstance(page, dict) or not isinstance(page.get("data"), list):
                raise NoAnswer(f"{self.url}{path} answers something else than otel-kit's API")
            yield from page["data"]
            following = page.get("next")
            if not following:
                return

    def samples(self, metric: str) -> list[Sample]:
        """The samples under ``/metrics`` of that name."""
        found = []
        for line in self._get("/metrics").decode("utf-8", "replace").splitlines():
            match = _SAMPLE.match(line) if line.startswith(metric) else None
            if match is not None and match[1] == metric and math.isfinite(float(match[3])):
                found.append(Sample(dict(_LABEL.findall(match[2])), float(match[3])))
        return found

    def json(self, path: str) -> Any:
        """What a path answers."""
        try:
            return json.loads(self._get(path))
        except ValueError as error:
            raise NoAnswer(f"{self.url}{path} does not answer JSON") from error

    def _get(self, path: str) -> bytes:
        try:
            with _opener.open(self.url + path, timeout=_TIMEOUT_S) as answer:
                return bytes(answer.read(_MAX_BODY))
        except urllib.error.HTTPError as error:
            error.close()
            raise NoAnswer(f"{self.url}{path} answers {error.code}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(f"{self.url} does not answer ({reason})") from error
