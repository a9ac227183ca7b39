"""What the HTTP clients have in common: a request that may be changed, and the port it goes to."""

from typing import Any, Protocol, TypeVar

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
