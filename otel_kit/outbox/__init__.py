"""The transactional outbox: messages written in the transaction of the change that they tell of.

Such a row waits to be sent by somebody else, later and elsewhere.  So the row keeps its context in
one column, as W3C headers: writing it is a hop of its own (PRODUCER, transport `outbox`), and what
the relay does with it continues the trace and the saga, and measures the time in the outbox.

    database.execute(INSERT, ("orders.created", body, otel_kit.outbox.stamp("orders.created")))
    ...
    for row in unsent(database):
        with otel_kit.outbox.relay(row.headers, row.topic):
            producer.send(row.topic, row.body)

A relay that knows nothing of the kit may send the stored headers with the message: its consumer
then continues the same trace, and waited from the writing of the row on.
"""

from collections.abc import Mapping
from datetime import datetime

from otel_kit.hops import ActiveHop, Hop, incoming, process
from otel_kit.outbox._sqlalchemy import stamped
from otel_kit.outbox._stamps import SYSTEM, RolledBack, Stored, headers_of, seconds, text, written
from otel_kit.outbox._transactions import current_transaction, transaction

__all__ = ["RolledBack", "relay", "row", "stamp", "stamped", "transaction"]


def stamp(destination: str, headers: Mapping[str, str] | None = None) -> str:
    """What to store in the row of a message for `destination`: a JSON object of headers.

    They are `headers`, the application's own, and those of the current context.  Within
    `transaction()` the hop ends with that block, else at once: a transaction that is rolled back
    afterwards is not heard of.  Without telemetry there is nothing to add, `{}` at the least.
    """
    carrier, hop = written(destination, headers)
    if (pending := current_transaction()) is not None:
        pending.add(hop)
    else:
        hop.end()
    return text(carrier)


def row(
    stored: Stored,
    destination: str,
    *,
    written_at: float | datetime | None = None,
    id: str | int | None = None,  # noqa: A002 - the word of every table
) -> Hop:
    """The description of a row: of several, for one request that sends them all.

    with otel_kit.process([otel_kit.outbox.row(each.headers, each.topic) for each in rows]):
        send_all(rows)

    It links to the writers, as every batch; a relay that sends row by row keeps their traces
    whole.  See `relay` for the arguments.
    """
    return incoming(
        SYSTEM,
        destination,
        carrier=headers_of(stored),
        sent_at=seconds(written_at),
        message_id=None if id is None else str(id),
        delivery=object(),  # a row that is relayed once more is a new hop
    )


def relay(
    stored: Stored,
    destination: str,
    *,
    written_at: float | datetime | None = None,
    id: str | int | None = None,  # noqa: A002
) -> ActiveHop:
    """A row that is being sent: a CONSUMER span around the sending, a child of its writing.

    `stored` is what the column holds: text, bytes or a mapping; None in rows from before the kit,
    whose wait is told by `written_at` (seconds since the epoch, or a `datetime`; one without a zone
    is taken as UTC).  Mark the row as sent within the block too: an error there is the relay's.
    """
    return process(row(stored, destination, written_at=written_at, id=id))
