"""SQLAlchemy: a column's default, which stamps each row as it is written, by the ORM or by Core.

The hop of a row ends as its transaction is committed; it is `cancelled` if that is rolled back,
also to a savepoint.  SQLAlchemy tells of a commit before the database is asked for it: one that the
database then refuses counts as sent.  Where nothing tells of the end (isolation level AUTOCOMMIT)
the hop ends at once.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from otel_kit._identity import IdentityMap
from otel_kit.hops import ActiveHop, current
from otel_kit.outbox._stamps import text, written
from otel_kit.outbox._transactions import Pending

_pending: IdentityMap[Pending] = IdentityMap()
"""By connection."""
_listened: IdentityMap[bool] = IdentityMap()
"""Engines whose transactions are heard of."""


def stamped(destination: str | None = None, *, column: str | None = None) -> Callable[[Any], Any]:
    """A column's `default`: stamps the row, and tells how its transaction ended.

        headers: Mapped[dict[str, str]] = mapped_column(
            JSON, default=otel_kit.outbox.stamped(column="topic")
        )

    The message goes to `destination`, or to what stands in `column`, else to the table itself.  The
    headers may be a column of text, of bytes or of JSON.  What is current when the row is written
    counts: with the ORM that is the flush.  A value of the application's own (see `stamp`) takes
    its place.
    """

    def default(context: Any) -> Any:
        try:
            found, connection = _destination(context, destination, column), context.root_connection
        except Exception as error:  # the guard: telemetry never harms the application
            if (runtime := current()) is not None:
                runtime.broke("stamp a row", error)
            found, connection = destination or "", None
        carrier, hop = written(found)
        _follow(connection, hop)
        return _in_the_shape_of(context, carrier)

    return default


def _destination(context: Any, destination: str | None, column: str | None) -> str:
    if destination is None and column is not None:
        value = context.get_current_parameters().get(column)
        destination = value.value if isinstance(value, Enum) else value
    return str(destination or context.current_column.table.name)


def _in_the_shape_of(context: Any, carrier: dict[str, str]) -> Any:
    """For a column of JSON as it is, of bytes as bytes; else as text."""
    try:
        kind = context.current_column.type.python_type
    except Exception:  # a type of the application's own need not tell
        kind = str
    if kind in (dict, object):  # object since SQLAlchemy 2.1
        return carrier
    return text(carrier).encode() if kind is bytes else text(carrier)


def _follow(connection: Any, hop: ActiveHop) -> None:
    """End the hop with the transaction of `connection`; at once if nobody tells."""
    try:
        if hop.span is not None and not connection._is_autocommit_isolation():
            _listen(connection.engine)
            if (pending := _pending.get(connection)) is None:
                _pending.set(connection, pending := Pending())
            pending.add(hop, _savepoint(connection))
            return
    except Exception as error:
        if (runtime := current()) is not None:
            runtime.broke("follow a transaction", error)
    hop.end()


def _listen(engine: Any) -> None:
    """Hear of the ends of its transactions: once for all its connections, which are many."""
    if _listened.get(engine):
        return
    from sqlalchemy import event

    event.listen(engine, "commit", _committed)
    event.listen(engine, "commit_twophase", _committed)
    event.listen(engine, "rollback", _rolled_back)
    event.listen(engine, "rollback_twophase", _rolled_back)
    event.listen(engine, "rollback_savepoint", _rolled_back_to)
    _listened.set(engine, True)


def _committed(connection: object, *_: object) -> None:
    if (pending := _pending.get(connection)) is not None:
        pending.committed()


def _rolled_back(connection: object, *_: object) -> None:
    if (pending := _pending.get(connection)) is not None:
        pending.rolled_back()


def _rolled_back_to(connection: object, name: str, context: object) -> None:
    if (pending := _pending.get(connection)) is not None:
        pending.rolled_back(_number(name))


def _savepoint(connection: Any) -> int:
    """The number of the savepoint that the connection is in, 0 for none."""
    nested = connection.get_nested_transaction()
    return 0 if nested is None else _number(nested._savepoint)


def _number(name: str) -> int:
    """SQLAlchemy numbers a connection's savepoints as they come: `sa_savepoint_1`."""
    number = name.rpartition("_")[2]
    return int(number) if number.isdigit() else 0
