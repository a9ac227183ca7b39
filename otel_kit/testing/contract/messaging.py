"""What the scenarios ask of a messaging library; the other side is an uninstrumented client."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

T = TypeVar("T")
Headers = list[tuple[str, bytes | None]]
"""Headers as the scenarios know them, of whatever shape the library's own are."""


def as_headers(context: Mapping[str, str]) -> Headers:
    """The headers of a wire context."""
    return [(name, value.encode()) for name, value in context.items()]


def named(headers: Headers, name: str) -> list[str]:
    """The values of the headers of that name."""
    return [(value or b"").decode() for key, value in headers if key == name]


class Broker(ABC):
    """A real broker, and an uninstrumented client of it."""

    _shared: ClassVar["Broker | None"] = None

    @classmethod
    def shared(cls) -> Self:
        """The one of this process of tests."""
        if not isinstance(cls._shared, cls):
            cls._shared = cls()
        return cls._shared

    @classmethod
    def alone(cls) -> Self:
        """One for a scenario that will harm it; as it is here, one that nobody can harm."""
        return cls.shared()

    @abstractmethod
    def topic(self) -> str:
        """A new topic, or queue, of this name."""

    @abstractmethod
    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        """Put a message, `b"value"`, into a topic; returns when the broker has it.

        `timestamp_ms` is what the broker's or the sender's timestamp says, see `dated`.
        """

    @abstractmethod
    def received(self, topic: str, count: int) -> list[Headers]:
        """The headers of the first `count` messages of a topic."""

    @abstractmethod
    def close(self) -> None:
        """Stop the broker; everything in it is gone."""

    def restart(self) -> None:
        """Kill the broker and start it again, with what it has kept."""
        raise NotImplementedError


class _Harness(ABC):
    library: ClassVar[str]
    """The integration's name."""
    transport: ClassVar[str]
    brokers: ClassVar[type[Broker]]
    """Where its brokers come from."""

    def __init__(self, cluster: Broker | None = None, *, topic: str | None = None) -> None:
        self.broker = cluster or self.brokers.shared()
        self.topic = topic or self.broker.topic()

    @property
    def destination(self) -> str:
        """What the telemetry calls the topic."""
        return self.topic

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None:
        """Close the library's client; twice does no harm."""


class ProducerHarness(_Harness):
    """A library's producer, real, and a broker that keeps what it sent.

    A synchronous library is called in a thread that has a copy of the caller's context.
    """

    refusals: ClassVar[Mapping[str, str]]
    """What the broker, or the client, refuses for good, and the class of that error."""
    unsendable: ClassVar[tuple[object, type[Exception]]] = ("a str, no bytes", TypeError)
    """A value that `send` does not take, and what the library raises."""
    headers_are_lists: ClassVar[bool] = True
    """Whether the library's headers are a list, for which a tuple may be given."""
    positional: ClassVar[bool] = True
    """Whether headers may be given by position."""
    acknowledged: ClassVar[bool] = True
    """Whether a send lasts until the broker has the message, and can be looked at before."""

    @property
    def operation(self) -> str:
        """What the telemetry calls a send."""
        return f"send {self.destination}"

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        """The headers object that a user of this library would pass."""
        return as_headers(headers)

    @abstractmethod
    async def send(self, **arguments: Any) -> None:
        """Send with these arguments, `headers` and `value`; returns when the broker has it."""

    async def send_by_position(self, headers: object) -> None:
        """The same, with every argument up to the headers by position."""
        raise NotImplementedError

    async def send_and_look(self, look: Callable[[], None]) -> None:
        """Send, and call `look` before the broker has the message."""
        raise NotImplementedError

    @abstractmethod
    async def send_refused(self, why: str) -> BaseException:
        """What the library raises for a message that is refused, one of `refusals`."""

    async def received(self, count: int = 1) -> list[Headers]:
        """Headers of the messages that arrived, in order."""
        return await asyncio.to_thread(self.broker.received, self.topic, count)


class ConsumerHarness(_Harness):
    """A library's consumer, real, one way of handing out messages.

    Its handler is whatever is done in `here`: the thread or the task that `next` was called in, or
    that the library calls its handler in.
    """

    loop: ClassVar[bool] = True
    """Whether the body of the caller's loop is the handler; else the library calls one."""
    dated: ClassVar[float | None] = None
    """How exact a timestamp of the message's is, in seconds, if `deliver` can set one."""
    raw_headers: ClassVar[bool] = False
    """Whether headers are bytes of any kind, and names may stand more than once."""
    batches: ClassVar[bool] = False
    """Whether the library hands out several messages at once: `batch`."""
    closing: ClassVar[bool] = True
    """Whether a consumer that is closed has thereby done with the message."""
    concurrent: ClassVar[bool] = False
    """Whether the library calls handlers while others are under way: `all_at_once`."""

    def __init__(
        self, cluster: Broker | None = None, *, topic: str | None = None, grouped: bool = False
    ) -> None:
        super().__init__(cluster, topic=topic)
        self.group: str | None = None

    @property
    def operation(self) -> str:
        """What the telemetry calls the handling of a message."""
        return f"process {self.destination}"

    async def deliver(
        self, headers: dict[str, str] | Headers | None = None, *, timestamp_ms: int | None = None
    ) -> None:
        """Put a message into the topic."""
        pairs = as_headers(headers) if isinstance(headers, dict) else headers or []
        await asyncio.to_thread(self.broker.deliver, self.topic, pairs, timestamp_ms)

    def value(self, message: Any) -> bytes:
        """What was sent, as the application reads it."""
        found: bytes = message.value
        return found

    @abstractmethod
    async def next(self) -> Any:
        """The next message, as the application gets it."""

    @abstractmethod
    async def nothing(self) -> None:
        """Ask where no message is, until the library says so."""

    @abstractmethod
    async def here(self, function: Callable[[], T]) -> T:
        """Call the function where the handler runs."""

    @abstractmethod
    async def fail(self, error: Exception) -> None:
        """Let the handler raise `error`: it closes a loop's consumer, a library logs it."""

    async def batch(self, count: int) -> list[Any]:
        """That many messages by the library's way of handing out many at once."""
        raise NotImplementedError

    async def all_at_once(self, count: int, look: Callable[[], T]) -> list[T]:
        """Handle that many messages at once; `look` is called by each when all are under way."""
        raise NotImplementedError


class LogConsumerHarness(ConsumerHarness):
    """A consumer of a log, which can be read again and again, by several groups."""

    batches = True
    raw_headers = True

    def __init__(
        self, cluster: Broker | None = None, *, topic: str | None = None, grouped: bool = False
    ) -> None:
        super().__init__(cluster, topic=topic)
        self.group = f"group-of-{self.topic}" if grouped else None
        """With a group the consumer subscribes; without, its partition is assigned to it."""

    def headers(self, message: Any) -> Headers:
        """The message's headers, as the application reads them."""
        return [tuple(header) for header in message.headers]

    @abstractmethod
    async def rewind(self) -> None:
        """Start again with the first message."""

    @abstractmethod
    async def pause(self) -> None:
        """Fetch from no partition any more."""

    @abstractmethod
    async def resume(self) -> None:
        """Fetch from all of them again."""

    @abstractmethod
    async def commit(self) -> None:
        """Commit all that was handed out."""

    @abstractmethod
    async def unsubscribe(self) -> None:
        """Give all partitions away."""


class QueueConsumerHarness(ConsumerHarness):
    """A consumer of a queue, which keeps a message until it is acknowledged."""

    dead_letters: ClassVar[bool] = False
    """Whether the broker can put a rejected message into another queue: `reject`."""
    restarts: ClassVar[bool] = True
    """Whether the broker keeps what it has when it is restarted."""

    @abstractmethod
    async def acknowledge(self) -> None:
        """Say that the message is handled, and forget it."""

    @abstractmethod
    async def give_back(self) -> None:
        """Refuse the message, to get it again."""

    @abstractmethod
    async def crash(self) -> None:
        """Lose the connection in the midst of a message, which is delivered again."""

    async def reject(self) -> str:
        """Refuse the message for good; the queue in which it ends."""
        raise NotImplementedError

    async def recover(self) -> None:
        """What an application does when its broker has been restarted."""
