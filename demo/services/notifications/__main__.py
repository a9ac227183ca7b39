"""Run notifications."""

import asyncio
from typing import Any

import otel_kit
from demo.messaging import aio, topics
from demo.messaging.message import Message
from demo.runtime.lifecycle import log_to_stdout, ready, until_stopped
from demo.services.notifications.webhook import http_client, tell
from demo.storage.database import open_database


async def main() -> None:
    database = open_database("notifications", schema="")
    async with (
        aio.producer("notifications") as producer,
        aio.consumer("notifications", topics.OUTCOMES) as consumer,
        http_client() as client,
    ):

        async def pass_on(record: Any) -> None:
            await tell(database, client, Message.decode(record.value))

        ready()
        await until_stopped(aio.consume(consumer, producer, pass_on))


if __name__ == "__main__":
    kit = otel_kit.instrument("notifications")
    log_to_stdout()
    asyncio.run(main())
    kit.shutdown()
