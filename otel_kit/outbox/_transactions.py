"""Hops of rows that are written but not committed: how they end is the transaction's to say."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import create_key, get_current, get_value, set_value

from otel_kit.hops import ActiveHop
from otel_kit.hops.place import Place
from otel_kit.outbox._stamps import RolledBack

_TRANSACTION = create_key("otel_kit-outbox-transaction")


class Pending:
    """What one transaction has written so far, each with the number of its savepoint, or 0."""

    def __init__(self) -> None:
        self._hops: list[tuple[int, ActiveHop]] = []
        self._over = False

    def add(self, hop: ActiveHop, savepoint: int = 0) -> None:
        if self._over:  # by a task that outlives the transaction it began in
            hop.end()
        else:
            self._hops.append((savepoint, hop))

    def committed(self) -> None:
        """Everything is there now."""
        hops, self._hops = self._hops, []
        for _, hop in hops:
            hop.end()

    def rolled_back(self, savepoint: int = 0) -> None:
        """What was written since that savepoint is gone: savepoints are numbered as they come."""
        hops, self._hops = self._hops, []
        for at, hop in hops:
            if at >= savepoint:
                hop.end(RolledBack())
            else:
                self._hops.append((at, hop))

    def joins(self, outer: "Pending | None") -> None:
        """The block ends, and has not failed: what it wrote is committed, or with `outer`."""
        self._over = True
        if outer is None:
            self.committed()
            return
        for savepoint, hop in self._hops:
            outer.add(hop, savepoint)

    def fails(self) -> None:
        """The block ends by an exception, which rolls back."""
        self._over = True
        self.rolled_back()


def current_transaction() -> Pending | None:
    found = get_value(_TRANSACTION)
    return found if isinstance(found, Pending) else None


@contextmanager
def transaction() -> Iterator[None]:
    """Stamps within end with this block: sent if it ends well, cancelled if by an exception.

    Put it around the transaction, since that is known to be committed only after its end:

        with otel_kit.outbox.transaction(), database:
            database.execute(INSERT, (topic, body, otel_kit.outbox.stamp(topic)))

    Blocks within blocks are savepoints.  A rollback that raises nothing here is not heard of.
    """
    outer, pending = current_transaction(), Pending()
    place = Place(set_value(_TRANSACTION, pending, get_current()))
    try:
        yield
    except BaseException:
        pending.fails()
        raise
    else:
        pending.joins(outer)
    finally:
        place.leave()
