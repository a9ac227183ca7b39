"""
nats-py: publishing, requests, JetStream, and every way in which messages arrive.

`Client.publish` is a send, over when the client has written it; `JetStreamContext.publish` is one
too, over when the stream has acknowledged it.  `Client.request` is a call: one round trip, whose
answer makes no hop of its own, and says who gave it in a header `Server-Timing`.  Its handler
serves; the one of any other message consumes.

A callback is the handler.  So is the loop's body of `async for message in subscription.messages`,
and what follows `next_msg()`, up to the next call; of `fetch(n)`, the body of a loop over the
list, and of `fetch()`, which returns one message, what follows up to the next call.  A message that
is delivered again is another hop in the same trace, and its dwell is since it was first sent, by
the stream's clock if the sender did not say.

The server's own subjects (`$JS.API`, `$KV`, …) and inboxes are no hops.  A destination is what was
subscribed to where that has wildcards; else tokens that look like ids are left out of its name.
Not seen: a JetStream API under a prefix of its own (`jetstream(prefix=…)`) is taken for requests.
"""

from otel_kit.integrations import _nats_receiving, _nats_sending
from otel_kit.integrations._nats import integration

__all__ = ["_nats_receiving", "_nats_sending", "integration"]  # they declare their own
