"""The relay: sends what stands in the outbox, at least once and in order."""

import asyncio
import logging
import sqlite3

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from demo.faults import Fault, is_on
from demo.messaging import topics
from demo.services.orders import outbox

IDLE = 1.0
"""Seconds after which the relay looks without being woken."""
UNREADABLE = b"\x00 not a message"

logger = logging.getLogger(__name__)


class Relay:
    """Sends outbox rows; ``wake`` it after a commit."""

    def __init__(self, database: sqlite3.Connection, producer: AIOKafkaProducer) -> None:
        self._database = database
        self._producer = producer
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.send_all()
            except KafkaError:
                logger.exception("the broker took no message; trying again")
                await asyncio.sleep(IDLE)
                continue
            await self._wait()

    async def send_all(self) -> None:
        while rows := outbox.unsent(self._database):
            for row in rows:
                with outbox.continued(row):
                    await self._send(row)
                outbox.mark_sent(self._database, row)

    async def _send(self, row: outbox.OutboxRow) -> None:
        poisoned = row.topic == topics.INVENTORY_COMMANDS and is_on(Fault.POISON_MESSAGE)
        value = UNREADABLE if poisoned else row.message.encode()
        for _ in range(2 if is_on(Fault.DUPLICATE_DELIVERY) else 1):
            await self._producer.send_and_wait(row.topic, value, key=row.message.key)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(IDLE):
                await self._woken.wait()
        except TimeoutError:
            pass
