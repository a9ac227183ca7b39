"""Statements about many rows at once: half the time, or less, of one statement for each row."""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

_SIZES: Final = (128, 32, 8, 2, 1)
"""Rows of one statement: few sizes, so that SQLite compiles few statements."""
_KEYS: Final = 500


def with_rows(
    connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[object, ...]]
) -> list[Any]:
    """Run a statement with ``VALUES {}`` for all of `rows`; gives what it returns, in any order."""
    returned: list[Any] = []
    first = 0
    for size in _SIZES:
        while len(rows) - first >= size:
            values = chain.from_iterable(rows[first : first + size])
            returned += connection.execute(_filled(sql, len(rows[0]), size), list(values))
            first += size
    return returned


@cache
def _filled(sql: str, width: int, size: int) -> str:
    row = f"({','.join('?' * width)})"
    return sql.format(",".join([row] * size))


def with_keys(connection: sqlite3.Connection, sql: str, keys: Sequence[Any]) -> Iterator[Any]:
    """What a statement with ``IN ({})`` gives for all of `keys`, in any order.

    The statement is the same for any number of them, so that SQLite compiles it once.
    """
    sql = sql.format(",".join("?" * _KEYS))
    for first in range(0, len(keys), _KEYS):
        some = keys[first : first + _KEYS]
        fill = [None] * (_KEYS - len(some))  # equal to nothing
        yield from connection.execute(sql, [*some, *fill])
