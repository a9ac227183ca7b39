"""Run orders."""

import asyncio

import otel_kit
from demo.messaging import aio
from demo.runtime.lifecycle import log_to_stdout, ready, until_stopped
from demo.services.orders import book, outbox
from demo.services.orders.orchestrator import HEARS, Orchestrator
from demo.services.orders.relay import Relay
from demo.services.orders.server import Servicer, new_server
from demo.storage.database import open_database


async def main() -> None:
    database = open_database("orders", book.SCHEMA + outbox.SCHEMA)

    async def waiting() -> int:  # on the loop, where the database is used
        return outbox.depth(database)

    async with aio.producer("orders") as producer, aio.consumer("orders", *HEARS) as consumer:
        relay = Relay(database, producer)
        orchestrator = Orchestrator(database, relay)
        server = new_server(Servicer(database, relay))
        await server.start()
        with otel_kit.watch_queue("outbox", depth=waiting, transport="sqlite"):
            ready()
            await until_stopped(relay.run(), aio.consume(consumer, producer, orchestrator.hear))
        await server.stop(grace=1)


if __name__ == "__main__":
    kit = otel_kit.instrument("orders")
    log_to_stdout()
    asyncio.run(main())
    kit.shutdown()
