"""Depth of the queues that a connection of pika's consumes from, as RabbitMQ tells it."""

from concurrent.futures import Future
from functools import partial
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from otel_kit.gauges.connections import Connection
from otel_kit.gauges.readings import Reading
from otel_kit.hops.loops import Loops
from otel_kit.integrations._rabbitmq import PATIENCE, depth

_Answer = Future[dict[str, int]]
_NO_CHANNEL = SimpleNamespace(is_open=False)
"""What a blocking connection that is closed takes for its own channel, and leaves alone."""
_answers: WeakKeyDictionary[Any, _Answer] = WeakKeyDictionary()


def depths(connection: Any, asked: Connection, loops: Loops) -> list[Reading]:
    """Over a channel of the kit's own, when the application next lets the connection do its work.

    To ask about a queue that is gone closes the channel.
    """
    if not connection.is_open:
        return []
    answer = _answers.get(connection)
    if answer is None or answer.done():
        answer = _answers[connection] = Future()
        connection._adapter_add_callback_threadsafe(partial(_ask, connection, asked, answer))
    handled = loops.all_handled()
    found = answer.result(PATIENCE).items()
    return [depth(queue, waiting, handled) for queue, waiting in found]


def _ask(connection: Any, asked: Connection, answer: _Answer) -> None:
    """In the connection's thread, by callbacks, so that nobody waits."""
    found: dict[str, int] = {}
    left = asked.queues

    def next_one(channel: Any) -> None:
        if left:
            channel.queue_declare(left[0], passive=True, callback=partial(declared, channel))
        else:
            channel.close()

    def declared(channel: Any, frame: Any) -> None:
        found[left.pop(0)] = frame.method.message_count
        next_one(channel)

    def closed(*_: Any) -> None:
        if left and connection.is_open:
            asked.gone(left[0])
        answer.set_result(found)

    if connection.is_open:
        channel = connection.channel(on_open_callback=next_one)
        channel._get_cookie = lambda: _NO_CHANNEL  # a cookie that is set is lost when it closes
        channel.add_on_close_callback(closed)
    else:
        answer.set_result(found)
