"""What the scenarios ask of a messaging library; the other side is an uninstrumented client."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from tests.contract.harness import broker
from tests.contract.harness.broker import Broker

T = TypeVar("T")
Headers = list[tuple[str, bytes | None]]


def as_headers(context: dict[str, str]) -> Headers:
    """Kafka record headers of a wire context."""
    return [(name, value.encode()) for name, value in context.items()]


class _Harness(ABC):
    library: ClassVar[str]
    """The integration's name in CATALOGUE."""
    transport: ClassVar[str] = "kafka"

    def __init__(self, cluster: Broker | None = None, *, topic: str | None = None) -> None:
        self.broker = cluster or broker.shared()
        self.topic = topic or self.broker.topic()

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

    @abstractmethod
    async def send(self, **arguments: Any) -> None:
        """Send with these keyword arguments; returns when the broker has the message."""

    @abstractmethod
    async def send_by_position(self, headers: object) -> None:
        """The same, with every argument up to the headers by position."""

    @abstractmethod
    async def send_and_look(self, look: Callable[[], None]) -> None:
        """Send, and call `look` before the broker has the message."""

    @abstractmethod
    async def send_refused(self, code: int) -> BaseException:
        """What the library raises for a message that the broker refuses, for good, with `code`."""

    async def received(self, count: int = 1) -> list[Headers]:
        """Headers of the messages that arrived, in order."""
        return await asyncio.to_thread(self.broker.received, self.topic, count)


class ConsumerHarness(_Harness):
    """A library's consumer, real, one way of handing out messages.

    Its handler is whatever is done in `here`: the thread or the task that `next` was called in.
    """

    def __init__(
        self, cluster: Broker | None = None, *, topic: str | None = None, grouped: bool = False
    ) -> None:
        super().__init__(cluster, topic=topic)
        self.group = f"group-of-{self.topic}" if grouped else None
        """With a group the consumer subscribes; without, its partition is assigned to it."""

    async def deliver(
        self, headers: dict[str, str] | Headers | None = None, *, timestamp_ms: int | None = None
    ) -> None:
        """Put a message into the topic."""
        pairs = as_headers(headers) if isinstance(headers, dict) else headers or []
        await asyncio.to_thread(self.broker.deliver, self.topic, pairs, timestamp_ms)

    @abstractmethod
    async def next(self) -> Any:
        """The next message, as the application gets it."""

    @abstractmethod
    async def nothing(self) -> None:
        """Ask where no message is, until the library says so."""

    @abstractmethod
    async def batch(self, count: int) -> list[Any]:
        """That many messages by the library's way of handing out many at once."""

    @abstractmethod
    async def here(self, function: Callable[[], T]) -> T:
        """Call the function where the handler runs."""

    @abstractmethod
    async def fail(self, error: Exception) -> None:
        """Close the consumer because the handler raised `error`, which is raised on."""

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
