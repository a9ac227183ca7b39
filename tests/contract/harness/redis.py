"""redis-py: streams that a group reads, sync and asyncio; an entry's fields carry the context."""

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import redis
import redis.asyncio

from otel_kit.testing.contract.loops import TaskLoop, ThreadLoop
from otel_kit.testing.contract.messaging import (
    Broker,
    Headers,
    ProducerHarness,
    QueueConsumerHarness,
)
from tests.servers.redis import Redis as Server

T = TypeVar("T")
_TIMEOUT = 10
_VALUE = "value"


class RedisBroker(Broker):
    """A server, and a client whose commands are written by hand: no integration sees them."""

    def __init__(self, server: Server | None = None) -> None:
        server = server or Server.shared()
        self.server = server
        self._client = redis.Redis(port=server.port)

    @classmethod
    def alone(cls) -> Self:
        server = Server()
        server.start()
        return cls(server)

    def topic(self) -> str:
        topic = f"orders-{uuid.uuid4().hex[:12]}"
        self._client.execute_command("XGROUP CREATE", topic, group_of(topic), "0", "MKSTREAM")
        return topic

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        at = "*" if timestamp_ms is None else f"{timestamp_ms}-*"
        pairs = (each for name, value in headers for each in (name, value or b""))
        self._client.execute_command("XADD", topic, at, _VALUE, b"value", *pairs)

    def received(self, topic: str, count: int) -> list[Headers]:
        ours = (_VALUE, "otelkit")
        entries = self._client.execute_command("XRANGE", topic, "-", "+", "COUNT", count)
        assert len(entries) == count, "a message is missing"
        return [
            [(name.decode(), value) for name, value in fields.items() if name.decode() not in ours]
            for _, fields in entries
        ]

    def close(self) -> None:
        self._client.close()
        self.server.close()

    def restart(self) -> None:
        self.server.kill()
        self.server.start()
        self._client.connection_pool.disconnect()


def group_of(topic: str) -> str:
    return f"group-of-{topic}"


class OnRedis:
    """Where the harnesses find their server."""

    library: ClassVar[str] = "redis"
    transport: ClassVar[str] = "redis"
    brokers = RedisBroker
    broker: RedisBroker


class RedisProducer(OnRedis, ProducerHarness):
    refusals: ClassVar[Mapping[str, str]] = {"WRONGTYPE": "client_error", "OOM": "unavailable"}
    unsendable = (object(), redis.DataError)
    headers_are_lists = False

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return dict(headers)

    async def open(self) -> None:
        self._client = redis.Redis(port=self.broker.server.port)

    async def close(self) -> None:
        self._client.close()

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        fields = {_VALUE: value, **(headers or {})}
        # The library may be given the same fields again.
        await asyncio.to_thread(self._client.xadd, name=self.topic, fields=fields)

    async def send_by_position(self, headers: Any) -> None:
        fields = {_VALUE: b"value", **(headers or {})}
        await asyncio.to_thread(self._client.xadd, self.topic, fields, "*", 1000)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        with self._client.pipeline() as pipeline:
            pipeline.xadd(self.topic, {_VALUE: b"value"})
            look()
            pipeline.execute()

    async def send_refused(self, why: str) -> BaseException:
        if why == "WRONGTYPE":
            self._client.delete(self.topic)
            self._client.set(self.topic, "no stream")
        else:
            self._client.config_set("maxmemory", 1)
        try:
            self._client.xadd(self.topic, {_VALUE: b"value"})
        except redis.RedisError as error:
            return error
        raise AssertionError("the server took the message")


class RedisAsyncProducer(RedisProducer):
    async def open(self) -> None:
        self._async = redis.asyncio.Redis(port=self.broker.server.port)
        await super().open()

    async def close(self) -> None:
        await self._async.aclose()
        await super().close()

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await self._async.xadd(name=self.topic, fields={_VALUE: value, **(headers or {})})

    async def send_by_position(self, headers: Any) -> None:
        await self._async.xadd(self.topic, {_VALUE: b"value", **(headers or {})}, "*", 1000)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        async with self._async.pipeline() as pipeline:
            pipeline.xadd(self.topic, {_VALUE: b"value"})
            look()
            await pipeline.execute()


class _Reader(OnRedis, QueueConsumerHarness):
    """A member of the group, which claims first what one before it has left."""

    dated = 0.001
    batches = True

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.group = group_of(self.topic)
        self._name = uuid.uuid4().hex
        self._entries: Iterator[Any] = iter(())
        self._claims = True

    def value(self, message: Any) -> bytes:
        found: bytes = message[1][_VALUE.encode()]
        return found

    def _read(self, block: float, count: int) -> tuple[str, dict[str, Any]]:
        """The next command, by its name, and its arguments."""
        if self._claims:
            self._claims = False
            claim = {"name": self.topic, "min_idle_time": 0}
            return "xautoclaim", {**claim, "groupname": self.group, "consumername": self._name}
        asked = {"streams": {self.topic: ">"}, "block": int(block * 1000), "count": count}
        return "xreadgroup", {**asked, "groupname": self.group, "consumername": self._name}

    @staticmethod
    def _list(reply: Any) -> list[Any]:
        """The entries of a reply, of whatever shape this version of the library gives."""
        if isinstance(reply, dict):
            reply = list(reply.items())
        if not reply:
            return []
        entries: list[Any] = reply[0][1] if len(reply) == 1 else reply[1]
        return entries[0] if entries and isinstance(entries[0], list) else entries

    async def give_back(self) -> None:
        self._claims = True


class RedisReader(ThreadLoop, _Reader):
    """The thread reads and iterates."""

    def connect(self) -> None:
        self._client = redis.Redis(port=self.broker.server.port)

    def leave(self) -> None:
        self._client.close()

    def _more(self, block: float = _TIMEOUT, count: int = 10) -> list[Any]:
        command, arguments = self._read(block, count)
        return self._list(getattr(self._client, command)(**arguments))

    async def next(self) -> Any:
        def take() -> Any:
            while (entry := next(self._entries, None)) is None:
                self._entries = iter(self._more())
            self._id = entry[0]
            return entry

        return await self.here(take)

    async def nothing(self) -> None:
        def ask() -> None:
            assert [*self._more(0.02), *self._more(0.02)] == []

        await self.here(ask)

    async def batch(self, count: int) -> list[Any]:
        def read() -> list[Any]:
            self._claims = False
            return self._more(count=count)

        return await self.here(read)

    async def acknowledge(self) -> None:
        await self.here(lambda: self._client.xack(self.topic, str(self.group), self._id))

    async def crash(self) -> None:
        await self.here(self._client.connection_pool.disconnect)

    async def recover(self) -> None:
        await self.crash()


class RedisAsyncReader(TaskLoop, _Reader):
    async def open(self) -> None:
        self._client = redis.asyncio.Redis(port=self.broker.server.port)

    async def close(self) -> None:
        await self._client.aclose()

    async def _more(self, block: float = _TIMEOUT, count: int = 10) -> list[Any]:
        command, arguments = self._read(block, count)
        return self._list(await getattr(self._client, command)(**arguments))

    async def next(self) -> Any:
        while (entry := next(self._entries, None)) is None:
            self._entries = iter(await self._more())
        await asyncio.sleep(0)  # as a handler does, which awaits something
        self._id = entry[0]
        return entry

    async def nothing(self) -> None:
        assert [*await self._more(0.02), *await self._more(0.02)] == []

    async def batch(self, count: int) -> list[Any]:
        self._claims = False
        return await self._more(count=count)

    async def acknowledge(self) -> None:
        await self._client.xack(self.topic, str(self.group), self._id)

    async def crash(self) -> None:
        await self._client.connection_pool.disconnect()

    async def recover(self) -> None:
        await self.crash()
