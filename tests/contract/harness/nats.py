"""nats-py: publishing to subjects and to streams, and each way to receive from either."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Self, TypeVar

import nats
from nats.js.api import AckPolicy, ConsumerConfig

from otel_kit.testing.contract.callbacks import TIMEOUT, CallbackConsumer
from otel_kit.testing.contract.loops import TaskLoop
from otel_kit.testing.contract.messaging import (
    Broker,
    ConsumerHarness,
    Headers,
    ProducerHarness,
    QueueConsumerHarness,
)
from tests.servers.nats import Nats

T = TypeVar("T")
_SECOND = 10**9


class NatsBroker(Broker):
    """Each topic is a subject and a stream of that name, so that whatever is sent is kept."""

    def __init__(self, server: Nats | None = None) -> None:
        server = server or Nats.shared()
        self._server = server
        self.url = server.url

    @classmethod
    def alone(cls) -> Self:
        server = Nats()
        server.start()
        return cls(server)

    def topic(self) -> str:
        name = f"orders-{uuid.uuid4().hex[:12]}"
        with self._server.connected() as wire:
            wire.ask(f"$JS.API.STREAM.CREATE.{name}", name=name, subjects=[name])
        return name

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        with self._server.connected() as wire:
            wire.publish(topic, b"value", headers)
            wire.settle()

    def received(self, topic: str, count: int) -> list[Headers]:
        with self._server.connected() as wire:
            inbox = wire.subscribe()
            config = {"deliver_subject": inbox, "ack_policy": "none"}
            wire.ask(f"$JS.API.CONSUMER.CREATE.{topic}", stream_name=topic, config=config)
            return [wire.next().headers for _ in range(count)]

    def forget(self, topic: str, consumer: str) -> None:
        """Take what a consumer has not acknowledged for lost at once: not in half a minute."""
        with self._server.connected() as wire:
            config = wire.ask(f"$JS.API.CONSUMER.INFO.{topic}.{consumer}")["config"]
            config = {**config, "ack_wait": _SECOND // 10}
            where = f"$JS.API.CONSUMER.DURABLE.CREATE.{topic}.{consumer}"
            wire.ask(where, stream_name=topic, config=config)

    def close(self) -> None:
        self._server.close()

    def restart(self) -> None:
        self._server.restart()


class OnNats:
    """One connection to a server with JetStream."""

    library = "nats-py"
    transport = "nats"
    brokers = NatsBroker
    broker: NatsBroker

    async def connect(self) -> None:
        self.reconnected = asyncio.Event()

        async def reconnected() -> None:
            self.reconnected.set()

        self.client = await nats.connect(
            self.broker.url,
            reconnected_cb=reconnected,
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
        )


# -- producers ----------------------------------------------------------------------------------


class NatsProducer(OnNats, ProducerHarness):
    refusals: ClassVar[Mapping[str, str]] = {"too large": "client_error", "closed": "connection"}
    headers_are_lists = False
    acknowledged = False

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return dict(headers)

    async def open(self) -> None:
        await self.connect()

    async def close(self) -> None:
        await self.client.close()

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await self.client.publish(self.topic, value, headers=headers)
        await self.client.flush()

    async def send_by_position(self, headers: object) -> None:
        await self.client.publish(self.topic, b"value", "", headers)
        await self.client.flush()

    async def send_refused(self, why: str) -> BaseException:
        value = bytes(self.client.max_payload + 1) if why == "too large" else b"value"
        if why == "closed":
            await self.client.close()
        try:
            await self.client.publish(self.topic, value)
        except nats.errors.Error as error:
            return error
        raise AssertionError("it was sent")


class NatsStreamProducer(NatsProducer):
    """`JetStreamContext.publish`."""

    refusals: ClassVar[Mapping[str, str]] = {"no stream": "unavailable", "too late": "client_error"}
    acknowledged = True

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await self.client.jetstream().publish(self.topic, value, headers=headers)

    async def send_by_position(self, headers: object) -> None:
        await self.client.jetstream().publish(self.topic, b"value", None, None, headers)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        sending = asyncio.create_task(self.send())
        await asyncio.sleep(0)  # it has been written; nothing has been read since
        look()
        await sending

    async def send_refused(self, why: str) -> BaseException:
        topic = "nowhere" if why == "no stream" else self.topic
        headers = {"Nats-Expected-Last-Sequence": "17"} if why == "too late" else None
        try:
            await self.client.jetstream().publish(topic, b"value", headers=headers)
        except nats.js.errors.Error as error:
            return error
        raise AssertionError("it was sent")


# -- consumers of a subject ---------------------------------------------------------------------


class NatsConsumer(OnNats, ConsumerHarness):
    def __init__(self, *args: Any, grouped: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, grouped=grouped, **kwargs)
        self.group = "workers" if grouped else None

    def value(self, message: Any) -> bytes:
        data: bytes = message.data
        return data

    async def open(self) -> None:
        await self.connect()
        self.subscription: Any = await self.subscribe()
        await self.client.flush()

    async def subscribe(self) -> Any:
        return await self.client.subscribe(self.topic, self.group or "")

    async def close(self) -> None:
        await self.client.close()


class NatsIterated(TaskLoop, NatsConsumer):
    async def next(self) -> Any:
        return await anext(self.subscription.messages)

    async def nothing(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await self.next()


class NatsNextMsg(TaskLoop, NatsConsumer):
    async def next(self) -> Any:
        return await self.subscription.next_msg(TIMEOUT)

    async def nothing(self) -> None:
        with suppress(nats.errors.TimeoutError):
            await self.subscription.next_msg(0.02)


class NatsCallback(CallbackConsumer, NatsConsumer):
    async def subscribe(self) -> Any:
        return await self.client.subscribe(self.topic, self.group or "", cb=self.handle_async)

    async def nothing(self) -> None:
        await self.client.flush()
        await asyncio.sleep(0)
        assert self._arrived.empty()

    async def disconnect(self) -> None:
        await self.client.close()


# -- consumers of a stream ----------------------------------------------------------------------


class NatsStreamConsumer(NatsConsumer, QueueConsumerHarness):
    """A durable consumer."""

    message: Any

    def __init__(self, *args: Any, grouped: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, grouped=grouped, **kwargs)
        self.group = "workers"

    async def acknowledge(self) -> None:
        await self.message.ack_sync(TIMEOUT)  # `flush` may overtake what `ack` has written

    async def give_back(self) -> None:
        await self.message.nak()
        await self.client.flush()

    async def crash(self) -> None:
        await self.close()
        await asyncio.to_thread(self.broker.forget, self.topic, "workers")

    async def recover(self) -> None:
        async with asyncio.timeout(3 * TIMEOUT):
            await self.reconnected.wait()
            await self.client.flush()

    async def nothing(self) -> None:
        info = await self.subscription.consumer_info()
        assert (info.num_pending, info.num_ack_pending) == (0, 0)


class NatsPush(NatsCallback, NatsStreamConsumer):
    """A push consumer that calls a handler."""

    async def subscribe(self) -> Any:
        return await self.client.jetstream().subscribe(
            self.topic,
            durable="workers",
            cb=self.handle_async,
            manual_ack=True,
            config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT),
        )

    nothing = NatsStreamConsumer.nothing

    async def next(self) -> Any:
        self.message = await super().next()
        return self.message


class NatsFetch(TaskLoop, NatsStreamConsumer):
    """A pull consumer, message by message."""

    batches = True

    async def subscribe(self) -> Any:
        return await self.client.jetstream().pull_subscribe(self.topic, "workers")

    async def next(self) -> Any:
        [self.message] = await self.subscription.fetch(timeout=TIMEOUT)
        return self.message

    async def batch(self, count: int) -> list[Any]:
        found: list[Any] = await self.subscription.fetch(count, timeout=TIMEOUT)
        return found
