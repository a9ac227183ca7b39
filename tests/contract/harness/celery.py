"""Celery with Redis as its broker: tasks that are sent, and a worker in threads of this process."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Self

import celery
from celery import signals
from celery.contrib.testing.worker import start_worker
from celery.worker import state
from kombu.exceptions import EncodeError, OperationalError

from collector.stack.process import HOST, free_port
from otel_kit.testing.contract.callbacks import CallbackConsumer
from otel_kit.testing.contract.messaging import Broker, Headers, ProducerHarness
from tests.gauges.waiting import until
from tests.integrations.celery_tasks import register
from tests.servers.redis import Redis as Server

TASK = "orders.handle"
_VALUE = "value"


@signals.setup_logging.connect
def leave_logging_alone(**_: Any) -> None:
    """A worker within a test does not set up the logging of the process."""


class CeleryBroker(Broker):
    """A server, an application, and its one worker, which runs tasks of all harnesses."""

    def __init__(self, server: Server | None = None) -> None:
        server = server or Server.shared()
        self.server = server
        url = f"redis://{server.address}/0"
        self.app = celery.Celery("contract", broker=url, set_as_current=False)
        register(self.app)
        self.app.conf.update(
            result_backend="cache+memory://",  # others leave sockets to the garbage collector
            worker_hijack_root_logger=False,
            broker_transport_options={"polling_interval": 0.02},  # a new queue is read from then
        )
        self.harnesses: dict[str, CeleryWorker] = {}
        self._worker: AbstractContextManager[Any] | None = None

        @self.app.task(name=TASK, bind=True, acks_late=True, ignore_result=True, shared=False)
        def handle(task: Any, value: str) -> None:
            self.harnesses[task.request.delivery_info["routing_key"]].handle(task.request)

    def worker(self) -> None:
        """Start the worker, unless it is there."""
        if self._worker is None:
            options = {"pool": "threads", "concurrency": 50, "perform_ping_check": False}
            self._worker = start_worker(self.app, loglevel="CRITICAL", queues=["none"], **options)
            self._worker.__enter__()

    @classmethod
    def alone(cls) -> Self:
        server = Server()
        server.start()
        return cls(server)

    def topic(self) -> str:
        return f"orders-{uuid.uuid4().hex[:12]}"

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        message = self.app.amqp.as_task_v2(
            uuid.uuid4().hex, TASK, (_VALUE,), {}, ignore_result=True
        )
        own = {name: (value or b"").decode() for name, value in headers}
        with self.app.connection_for_write() as connection:
            self.app.amqp.Producer(connection, auto_declare=False).publish(
                message.body,
                headers={**message.headers, **own},
                exchange="",
                routing_key=topic,
                serializer="json",
                **message.properties,
            )

    def received(self, topic: str, count: int) -> list[Headers]:
        with self.app.connection_for_read() as connection:
            kept = connection.default_channel.client.lrange(topic, 0, -1)
        assert len(kept) == count, "a message is missing"
        found = [json.loads(message)["headers"] for message in reversed(kept)]
        return [[(k, v.encode()) for k, v in each.items() if isinstance(v, str)] for each in found]

    def close(self) -> None:
        if self._worker is not None:
            self._worker.__exit__(None, None, None)
            self._worker = None
        self.app.close()
        self.server.close()


class OnCelery:
    """Where the harnesses find their server."""

    library: ClassVar[str] = "celery"
    transport: ClassVar[str] = "celery"
    brokers = CeleryBroker
    broker: CeleryBroker


class CeleryProducer(OnCelery, ProducerHarness):
    refusals: ClassVar[Mapping[str, str]] = {"GONE": "connection"}
    unsendable = (object(), EncodeError)
    headers_are_lists = False
    positional = False
    acknowledged = False

    @property
    def operation(self) -> str:
        return f"send {TASK}"

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        return dict(headers)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def send(self, *, value: Any = _VALUE, headers: Any = None) -> None:
        where = {"queue": self.topic, "headers": headers, "ignore_result": True}
        await asyncio.to_thread(self.broker.app.send_task, TASK, (value,), **where)

    async def send_refused(self, why: str) -> BaseException:
        nobody = celery.Celery(broker=f"amqp://{HOST}:{free_port()}//", set_as_current=False)
        once = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        nobody.conf.broker_transport_options = once
        try:
            nobody.send_task(TASK, (_VALUE,), queue=self.topic, retry=False)
        except OperationalError as error:
            return error
        raise AssertionError("nobody took the message")


class CeleryWorker(OnCelery, CallbackConsumer):
    """The worker reads the harness' queue as long as that is open."""

    concurrent = True

    @property
    def operation(self) -> str:
        return f"process {TASK}"

    def value(self, message: Any) -> bytes:
        return str(message.args[0]).encode()

    async def open(self) -> None:
        self.broker.harnesses[self.topic] = self
        await asyncio.to_thread(self.broker.worker)
        await self._control("add_consumer")

    async def disconnect(self) -> None:
        if self.broker.harnesses.pop(self.topic, None) is not None:
            await self._control("cancel_consumer")

    async def nothing(self) -> None:
        await self._control("ping")
        assert self._arrived.empty()

    async def _control(self, command: str) -> None:
        arguments = {} if command == "ping" else {"queue": self.topic}
        told = self.broker.app.control.broadcast
        replies = await asyncio.to_thread(
            told, command, arguments=arguments, reply=True, limit=1, timeout=10
        )
        assert replies

    async def finish(self) -> None:
        """Also what Celery does when the task has returned."""
        handled = self._handled
        await super().finish()
        if handled is not None:
            await self._done(handled.message.id)

    async def fail(self, error: Exception) -> None:
        handled = self._handled
        await super().fail(error)
        assert handled is not None
        await self._done(handled.message.id)

    async def _done(self, task_id: str) -> None:
        def done() -> bool:
            return task_id not in {request.id for request in list(state.active_requests)}

        await asyncio.to_thread(until, done)
