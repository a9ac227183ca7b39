"""Legs of a journey: each takes a saga over one transport, and goes on where it was received."""

import asyncio
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import ClassVar

import grpc
import httpx

import otel_kit
from otel_kit.testing.contract.base import ServerHarness
from otel_kit.testing.contract.messaging import ConsumerHarness, ProducerHarness
from tests.contract.harness.grpc import SERVICE, GrpcAioServer
from tests.contract.harness.starlette import FastApi

Onwards = Callable[[], Awaitable[None]]
"""The rest of the journey, from wherever it is called."""


@dataclass
class Leg(ABC):
    """One hop.  `earliest` and `latest` bound how long its message waited, in seconds."""

    transport: str
    earliest: float = field(default=0.0, init=False)
    latest: float | None = field(default=None, init=False)
    within: ClassVar[str | None] = None
    """The transport of a request that its handler is within, which is counted as well."""

    @abstractmethod
    async def travel(self, onwards: Onwards) -> None:
        """Cross over, and go on within the handler."""

    async def handled_by(self, context: Context, onwards: Onwards) -> None:
        """Go on in the context that the handler has."""
        await asyncio.create_task(_run(onwards), context=context)


async def _run(onwards: Onwards) -> None:
    await onwards()


class Request(Leg):
    """A request, whose handler is reached before it is answered."""

    def __init__(self, transport: str, server: type[ServerHarness]) -> None:
        super().__init__(transport)
        self._server = server

    async def travel(self, onwards: Onwards) -> None:
        inside: list[Context] = []
        async with self._server() as server:
            server.on_request = lambda: inside.append(copy_context())
            await self.ask(server)
        await self.handled_by(inside[0], onwards)

    @abstractmethod
    async def ask(self, server: ServerHarness) -> None:
        """By an instrumented client."""


class Http(Request):
    def __init__(self) -> None:
        super().__init__("http", FastApi)

    async def ask(self, server: ServerHarness) -> None:
        assert isinstance(server, FastApi)
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"http://127.0.0.1:{server.port}/do/ok")


class Grpc(Request):
    def __init__(self) -> None:
        super().__init__("grpc", GrpcAioServer)

    async def ask(self, server: ServerHarness) -> None:
        assert isinstance(server, GrpcAioServer)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            await channel.unary_unary(f"/{SERVICE}/ok")(b"ok")


class Message(Leg):
    """A message, by the harnesses of a library's two ends."""

    def __init__(self, producer: type[ProducerHarness], consumer: type[ConsumerHarness]) -> None:
        super().__init__(producer.transport)
        self._producer = producer
        self._consumer = consumer

    async def travel(self, onwards: Onwards) -> None:
        async with self._consumer() as consumer:
            began = time.time()
            async with self._producer(consumer.broker, topic=consumer.topic) as producer:
                await producer.send()
            if consumer.loop:
                self.earliest = 0.02
                await asyncio.sleep(self.earliest)  # the wait that is measured
            await asyncio.create_task(self._take(consumer, began, onwards), context=Context())

    async def _take(self, consumer: ConsumerHarness, began: float, onwards: Onwards) -> None:
        await consumer.next()
        self.latest = time.time() - began
        await self.handled_by(await consumer.here(copy_context), onwards)


class Outbox(Leg):
    """A row in a table, relayed later."""

    def __init__(self) -> None:
        super().__init__("outbox")

    async def travel(self, onwards: Onwards) -> None:
        database = sqlite3.connect(":memory:")
        began = time.time()
        with otel_kit.outbox.transaction(), database:
            database.execute("CREATE TABLE outbox (headers)")
            stamp = otel_kit.outbox.stamp("orders")
            database.execute("INSERT INTO outbox VALUES (?)", (stamp,))
        self.earliest = 0.02
        await asyncio.sleep(self.earliest)
        ((headers,),) = database.execute("SELECT headers FROM outbox")
        database.close()
        await asyncio.create_task(self._relay(headers, began, onwards), context=Context())

    async def _relay(self, headers: str, began: float, onwards: Onwards) -> None:
        with otel_kit.outbox.relay(headers, "orders"):
            self.latest = time.time() - began
            await onwards()


class Webhook(Request):
    """An event that is delivered by HTTP, and handled there."""

    within = "http"

    def __init__(self) -> None:
        super().__init__("webhook", FastApi)

    async def travel(self, onwards: Onwards) -> None:
        inside: list[Context] = []
        async with self._server() as server:

            def handle() -> None:
                with otel_kit.webhooks.receive(server.seen[-1].headers, "order.paid"):
                    self.latest = time.time() - began
                    inside.append(copy_context())

            server.on_request = handle
            began = time.time()
            await self.ask(server)
        await self.handled_by(inside[0], onwards)

    async def ask(self, server: ServerHarness) -> None:
        assert isinstance(server, FastApi)
        url = f"http://127.0.0.1:{server.port}/do/ok"
        with otel_kit.webhooks.deliver("order.paid", url) as delivery:
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(url, headers=delivery.headers)
