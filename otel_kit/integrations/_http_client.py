"""What the HTTP clients have in common: a request that may be changed, and where it goes."""

from typing import Any, Protocol, TypeVar
from urllib.parse import SplitResult, urlsplit

from otel_kit.hops import Hop, http_request
from otel_kit.hops.hop import Carrier

Request = TypeVar("Request", bound=Any)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Url(Protocol):
    """A parsed URL of the standard library or of httpx."""

    @property
    def scheme(self) -> str: ...
    @property
    def port(self) -> int | None: ...


def copied(request: Request) -> Request:
    """The same request, body and all, with headers of its own.

    The library's own ways to copy leave out the body's stream, or what a subclass has added.
    """
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.headers = request.headers.copy()
    return copy


def port(url: Url) -> int | None:
    """Where a URL leads; None if nobody knows."""
    return url.port or _DEFAULT_PORTS.get(url.scheme)


def asked(method: str, url: str, carrier: Carrier) -> Hop:
    """The hop of a request whose URL is a string; ValueError if that is none."""
    to = _split(url)
    return http_request(
        method,
        carrier=carrier,
        scheme=to.scheme,
        host=to.hostname,
        port=port(to),
        url=f"{to.scheme}://{to.netloc.rpartition('@')[2]}{to.path}",
    )


def address(url: str) -> str:
    """`host:port` of a URL."""
    to = _split(url)
    return f"{to.hostname}:{port(to)}"


def _split(url: str) -> SplitResult:
    return urlsplit(url, "", True)  # as requests has done it: urllib remembers the answer
