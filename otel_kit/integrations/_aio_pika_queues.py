"""Depth of the queues that a connection of aio-pika consumes from, as RabbitMQ tells it."""

from typing import Any

from aio_pika.exceptions import ChannelClosed

from otel_kit.gauges.connections import Connection
from otel_kit.gauges.readings import Reading
from otel_kit.gauges.sampler import on_loop
from otel_kit.hops.loops import Loops
from otel_kit.integrations._rabbitmq import PATIENCE, depth


def depths(connection: Any, asked: Connection, loops: Loops) -> list[Reading]:
    """Over a channel of the kit's own: to ask about a queue that is gone closes the channel."""
    transport = connection.transport
    if transport is None or transport.connection.is_closed:
        return []
    amqp = transport.connection
    found: list[Reading] = on_loop(amqp.loop, lambda: _depths(amqp, asked, loops), PATIENCE)
    return found


async def _depths(amqp: Any, asked: Connection, loops: Loops) -> list[Reading]:
    found: list[Reading] = []
    handled = loops.all_handled()
    channel = await amqp.channel(publisher_confirms=False)
    for queue in asked.queues:
        try:
            said = await channel.queue_declare(queue, passive=True)
        except ChannelClosed:
            asked.gone(queue)
            return found
        found.append(depth(queue, said.message_count, handled))
    await channel.close()
    return found
