"""What the scenarios ask of a library under test, and of the uninstrumented other side."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

from opentelemetry import baggage, trace
from opentelemetry.trace import SpanContext


class Behaviour(StrEnum):
    """What the answering side does."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    """Refuses the request as wrong (404, NOT_FOUND)."""
    SERVER_ERROR = "server_error"
    """Answers that it failed (500, INTERNAL)."""
    RAISES = "raises"
    """Its handler raises an exception that nobody catches."""
    THROTTLED = "throttled"
    """Refuses for too many requests (429, RESOURCE_EXHAUSTED)."""
    SILENT = "silent"
    """Never answers."""
    STREAMS = "streams"
    """Answers in several parts."""
    EVENTS = "events"
    """Answers with an event stream of three events."""
    ENDLESS = "endless"
    """Answers with an event stream that does not end."""
    BROKEN = "broken"
    """Answers with an event stream that breaks off."""


EVENTS = (b"data: o", b"ne\n\n: still here\n\nid: 2\ndata: two\r", b"\n\r\ndata: three\n\n")
"""An event stream whose parts are not its events."""


class HandlerError(Exception):
    """Raised by a handler on purpose."""


@dataclass
class Reply:
    """What the caller got: headers (or trailing metadata) by lower-case name, and a status."""

    headers: dict[str, str]
    status: object = None


@dataclass
class Seen:
    """What the handler saw: the headers it got, and its context."""

    headers: dict[str, str] = field(default_factory=dict)
    span: SpanContext = field(default_factory=lambda: trace.get_current_span().get_span_context())
    baggage: dict[str, object] = field(default_factory=lambda: dict(baggage.get_all()))


class ClientHarness(ABC):
    """A client library, real, against a real and uninstrumented server on loopback.

    Used as an async context manager.  A synchronous library is called in a thread that has a copy
    of the caller's context.
    """

    library: ClassVar[str]
    """The integration's name."""
    transport: ClassVar[str]
    operation: ClassVar[str]
    """Span name and `operation` label of a request that is answered OK."""
    timeout_error: ClassVar[type[BaseException]]
    connection_error: ClassVar[type[BaseException]]
    cancelled_class: ClassVar[str] = "cancelled"
    """Error class after the awaiting task is cancelled; `timeout` if the call goes on."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.on_seen: Callable[[], None] = lambda: None
        """Called in the event loop when a request has arrived at the server."""
        self.server_timing: str | None = None
        """What the server puts into `Server-Timing`, if anything."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *error: object) -> None: ...

    @property
    @abstractmethod
    def address(self) -> str:
        """`host:port` of the server."""

    @abstractmethod
    async def request(
        self, behaviour: Behaviour, *, headers: object = None, timeout: float = 30
    ) -> Reply:
        """Send a request and wait for the answer; raises what the library raises.

        `headers` is handed to the library as it is; `native_headers` makes one.
        """

    @abstractmethod
    def native_headers(self, headers: dict[str, str]) -> object:
        """The headers object that a user of this library would pass."""

    async def settled(self) -> None:  # noqa: B027 - most have nothing to wait for
        """Wait until a cancelled call has really ended."""

    @abstractmethod
    async def unreachable(self) -> None:
        """Send a request to a port where nobody listens."""


class ServerHarness(ABC):
    """A server library, real, on loopback, called by an uninstrumented client."""

    library: ClassVar[str]
    transport: ClassVar[str]
    operation: ClassVar[str]
    """Span name and `operation` label of the OK handler."""
    unknown: ClassVar[str]
    """Span name and `operation` label of a request for what is not served."""
    unknown_class: ClassVar[str]
    """Error class of such a request."""
    ok_status: ClassVar[object]
    streams: ClassVar[bool] = True
    """Whether this version of the library can answer in several parts."""

    async def settled(self) -> None:  # noqa: B027 - most have nothing to wait for
        """Wait until an abandoned handler has really ended."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.on_request: Callable[[], None] = lambda: None
        """Called within the handler."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *error: object) -> None: ...

    @abstractmethod
    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        """Call the handler of that behaviour; `path` is appended to what is asked for.

        Does not raise for an answer that says error; cancelled, it hangs up.
        """

    @classmethod
    async def once(cls, behaviour: Behaviour, headers: dict[str, str] | None = None) -> Reply:
        """One request to a fresh server."""
        async with cls() as server:
            return await server.request(behaviour, headers=headers)
