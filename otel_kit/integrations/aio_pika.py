"""
aio-pika: `Exchange.publish`, and every message that `Queue.consume` hands to a callback, that an
iterator of a queue hands out, or that `Queue.get` returns.

A send ends when the broker confirms it, or when it is written if the channel has no confirms.  A
callback is the handler.  A message that was iterated or got is handled until the next one is asked
for, or its task has ended: the loop body is the handler.

An iterator is a consumer with a callback of its own, which only fills a buffer: that is no hop.

A call of `aio_pika.patterns.RPC` is one round trip: its handler serves, and the answer makes no hop
of its own.  What that handler raises goes to the caller, and is the error of its side alone.
"""

from otel_kit.integrations import _aio_pika_receiving, _aio_pika_sending
from otel_kit.integrations._aio_pika import integration

__all__ = ["_aio_pika_receiving", "_aio_pika_sending", "integration"]  # they declare their own
