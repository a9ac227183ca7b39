"""GETs JSON from one server: with a timeout, bounded in size, and every failure in plain words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from otel_kit.explorer.source.problems import BadAnswer, NotThere, SourceDown

MAX_BYTES: Final = 128 * 1024 * 1024
"""A larger answer is given up."""
TIMEOUT_S: Final = 10.0
"""For connecting, and for each wait for more of an answer."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_REASON: Final = 300

Params: TypeAlias = Mapping[str, str | int | float | Sequence[str] | None]


class JsonClient:
    """One server's JSON API.  Safe to use from several threads."""

    def __init__(
        self, base_url: str, *, timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_BYTES
    ) -> None:
        """`base_url` is http or https, with or without a path; raises ValueError for any other."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base_url!r} is no address: write it as http://host:port")
        self.url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._max_bytes = max_bytes
        # A proxy from the environment is not asked for what is on this machine.
        outside = parts.hostname not in _LOOPBACK
        self._http = httpx.Client(timeout=timeout_s, trust_env=outside, follow_redirects=False)

    def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON at `path`; raises `SourceDown`, `NotThere` or `BadAnswer`.

        Parameters that are None or empty are left out.
        """
        given = {name: v for name, v in (params or {}).items() if v is not None and v != ""}
        try:
            with self._http.stream("GET", self.url + path, params=given) as response:
                body = self._body(response)
        except httpx.TimeoutException as error:
            raise SourceDown(self.url, f"no answer within {self._http.timeout.read} s") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise SourceDown(self.url, str(error) or type(error).__name__) from error
        except httpx.DecodingError as error:
            raise BadAnswer(self.url + path, "its compression is broken") from error
        return self._parsed(path, response.status_code, body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _body(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._max_bytes:
                raise BadAnswer(str(response.url), f"over {self._max_bytes // 1024**2} MiB")
            parts.append(part)
        return b"".join(parts)

    def _parsed(self, path: str, status: int, body: bytes) -> Any:
        url = self.url + path
        if status == 404:
            raise NotThere(url, _reason(status, body))
        if status in (502, 503, 504):
            raise SourceDown(url, _reason(status, body))
        if status != 200:
            raise BadAnswer(url, _reason(status, body))
        try:
            return json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(url, "not JSON; is something else listening there?") from error


def path_part(text: str) -> str:
    """`text` as one part of a path."""
    return quote(text, safe="")


def _reason(status: int, body: bytes) -> str:
    said = " ".join(body[:_MAX_REASON].decode(errors="replace").split())
    return f"HTTP {status}" + (f", {said}" if said else "")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
