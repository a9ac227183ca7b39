"""Run billing."""

import asyncio
from typing import Any

import otel_kit
from demo.messaging import aio, topics
from demo.messaging.message import Message
from demo.resilience.breaker import BreakerOpen
from demo.runtime.lifecycle import log_to_stdout, ready, until_stopped
from demo.services.billing import handlers
from demo.services.billing.bank_client import (
    BankClient,
    BankUnavailable,
    PaymentDeclined,
    bank_breaker,
    http_client,
)
from demo.storage.database import open_database


async def main() -> None:
    database = open_database("billing", handlers.SCHEMA)
    async with (
        aio.producer("billing") as producer,
        aio.consumer("billing", topics.BILLING_COMMANDS) as consumer,
        http_client() as client,
    ):
        bank = BankClient(client, bank_breaker())

        async def answer(record: Any) -> None:
            reply = await handlers.handle(database, bank, Message.decode(record.value))
            await aio.publish(producer, topics.REPLIES, reply)

        ready()
        await until_stopped(aio.consume(consumer, producer, answer))


def classify_errors() -> None:
    otel_kit.classify_as(otel_kit.ErrorClass.BUSINESS, PaymentDeclined)
    otel_kit.classify_as(otel_kit.ErrorClass.UNAVAILABLE, BankUnavailable)
    otel_kit.classify_as(otel_kit.ErrorClass.BREAKER_OPEN, BreakerOpen)


if __name__ == "__main__":
    kit = otel_kit.instrument("billing")
    classify_errors()
    log_to_stdout()
    asyncio.run(main())
    kit.shutdown()
