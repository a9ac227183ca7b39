"""Random ids in an index that stays small to write to: those that come together stand together.

In an index of all ids, each new one changes a page of its own.  In one that begins with the
generation, so many rows in order of arrival, new ids share a few pages.  To find an id, each
generation is asked.
"""

import json
import sqlite3
from typing import Final, Literal

_ROWS: Final = 2**14
"""Of one generation: some 60 pages of the index."""


def generation_of(row: int) -> int:
    """The generation of a row id; these grow in order of arrival."""
    return row // _ROWS


def stored(connection: sqlite3.Connection, table: Literal["traces", "sagas"]) -> str:
    """The generations that a table has, as ``json_each`` takes them."""
    (first,) = connection.execute(f"SELECT min(generation) FROM {table}").fetchone()
    (last,) = connection.execute(f"SELECT max(generation) FROM {table}").fetchone()
    return json.dumps([] if first is None else [*range(first, last + 1)])
