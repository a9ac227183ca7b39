"""
redis-py, sync and asyncio: streams.  `XADD` is a send, and an entry that was read is handled.

`XREAD`, `XREADGROUP`, `XCLAIM` and `XAUTOCLAIM` return lists of entries; the body of the loop over
such a list is the handler, and its hop lasts until the client's next entry is asked for, or the
client is closed.  What is claimed, or read once more, is a new hop in the same trace.  `XACK` ends
nothing: there are consumers that acknowledge before they begin.  Whoever takes entries otherwise
(`entries[0]`, a pool of threads) says `with otel_kit.process(entry):`.  A wait begins when the
sender says, or else at the time in the entry's id.  An `XADD` of a pipeline lasts until that is
executed, or is thrown away: cancelled.

An entry of a stream has no headers: its fields are the message.  So context is added to them only
where `OTEL_KIT_ENVELOPES` names the stream (`redis`, `redis:orders.*`), for consumers that know
nothing of it would meet fields that they do not expect.  It is added as `traceparent`, `tracestate`
and `baggage`, with a field `otelkit` that says which of these the kit has added; the kit takes just
those out of whatever is read (`XRANGE` too).  Context that the application itself has put among the
fields is always read.  No context is added where Redis is to know an entry by its content
(`idmpauto`).

Depth and lag of a stream (what its group has not read, and not acknowledged) are Redis' own numbers
(7.0 and later), asked for over a connection of the kit's own while a client reads by `XREADGROUP`.

A command that reads or writes a cache crosses to no service: it makes no hop.
"""

from otel_kit.hops import Hop, outgoing
from otel_kit.hops.carriers import Fields
from otel_kit.hops.runtime import enveloped
from otel_kit.integrations import _redis_lists, _redis_pubsub  # they declare their own
from otel_kit.integrations._redis import SYSTEM, broker, integration, text
from otel_kit.integrations._redis_entries import Reading, received
from otel_kit.integrations._redis_pipelines import PIPELINES, replied, sent
from otel_kit.integrations._redis_queues import watching
from otel_kit.integrations._shape import Call

_STREAMS = "redis.commands.core:StreamCommands"
_CLIENTS = ("redis.client:Redis.close", "redis.asyncio.client:Redis.aclose")

integration.describes(tuple)(received)
integration.describes(dict)(_redis_pubsub.received)


@integration.sends(f"{_STREAMS}.xadd", ends=sent)
def add(call: Call) -> Hop:
    stream, fields, carrier = text(call["name"]), call["fields"], None
    by_content = call.takes("idmpauto") and call["idmpauto"] is not None
    if enveloped(SYSTEM, stream) and isinstance(fields, dict) and fields and not by_content:
        call["fields"] = fields = dict(fields)
        carrier = Fields(fields)
    return outgoing(SYSTEM, stream, carrier=carrier, broker=broker(call.instance))


# -- what is read ---------------------------------------------------------------------------------


@integration.wraps(f"{_STREAMS}.xread", always=True)
@replied
def read(call: Call) -> Reading:
    integration.loops.asked_again(call.instance)
    return Reading(call.instance)


@integration.wraps(f"{_STREAMS}.xreadgroup", always=True)
@replied
def read_by_group(call: Call) -> Reading:
    integration.loops.asked_again(call.instance)
    if not isinstance(call.instance, PIPELINES):
        watching.of(call.instance).reads(call["streams"], call["groupname"])
    return Reading(call.instance, group=call["groupname"])


@integration.wraps(f"{_STREAMS}.xclaim", f"{_STREAMS}.xautoclaim", always=True)
@replied
def claimed(call: Call) -> Reading:
    return Reading(call.instance, stream=call["name"], group=call["groupname"])


@integration.wraps(f"{_STREAMS}.xrange", f"{_STREAMS}.xrevrange", always=True)
@replied
def looked_at(call: Call) -> Reading:
    return Reading(call.instance, stream=call["name"], handled=False)


@integration.asks(*_CLIENTS)
def closed(call: Call) -> None:
    # `__del__` closes too, perhaps in the garbage collector: then there is nothing open any more.
    watching.forget(call.instance)
    _redis_lists.closed(call.instance)
    if integration.loops.handling(call.instance):
        integration.loops.closed(call.instance)
