"""What the HTTP clients have in common: a request that may be changed, its address, event streams.

The hop of an event stream lasts until that is read to its end, fails, is closed, or is dropped by
all who had it.  To close it before its end is what readers of such streams do, and no error.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import SplitResult, urlsplit

from otel_kit.hops import ActiveHop, Hop, http_request
from otel_kit.hops.event_stream import EventStream, event_stream
from otel_kit.hops.hop import Carrier

Request = TypeVar("Request", bound=Any)
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


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


class Reading:
    """The event stream of a response, as it is read."""

    _dropped: Final[deque[ActiveHop]] = deque()

    def __init__(self, hop: ActiveHop, events: EventStream) -> None:
        while self._dropped:
            self._dropped.popleft().end()
        self._hop, self._events = hop, events

    @classmethod
    def of(cls, hop: ActiveHop, headers: Any) -> "Reading | None":
        """None if the response is no event stream."""
        content_type = headers.get("content-type")
        events = event_stream(hop, content_type, encoded="content-encoding" in headers)
        return None if events is None else cls(hop, events)

    def whole(self, content: bytes) -> None:
        """It has been read already."""
        self._events.whole(content)

    def part(self, part: bytes) -> bytes:
        """A part has arrived."""
        self._events.part(part)
        return part

    def parts(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """The same parts, counted."""
        try:
            for part in parts:
                yield self.part(part)
        except GeneratorExit:  # its reader has enough of it
            raise
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self.end()

    async def aparts(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same."""
        try:
            async for part in parts:
                yield self.part(part)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self.end()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more is read."""
        self._hop.end(error)

    def __del__(self) -> None:
        # Runs in the garbage collector, in the midst of anything: no span may be ended in here.
        if not self._hop.ended:
            self._hop.rest()
            self._dropped.append(self._hop)


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
