"""Replays: events that happened once are handled again, to build up state from them."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import get_current

from otel_kit.hops import replayed
from otel_kit.hops.place import Place


@contextmanager
def replay() -> Iterator[None]:
    """What is handled within was told when it happened: nothing of it is recorded once more.

        with otel_kit.replay():
            for event in store.events(order_id):
                order.apply(event)  # handlers run, `process()`, steps and the like do nothing

    No hop, step, attempt, dead letter, duplicate or end of a saga, whoever makes it, an integration
    or the application; nor do OpenTelemetry's own instrumentations record.  A call that goes out
    all the same goes untouched and carries no context: a handler that is replayed should make none.
    Sagas are entered as ever, so that the application knows which one it is in.

    Replays are of their task, or thread, and of what is created in it meanwhile.  What has begun
    before goes on: a message that a loop handed out outside is that hop's.
    """
    place = Place(replayed(get_current()))
    try:
        yield
    finally:
        place.leave()
