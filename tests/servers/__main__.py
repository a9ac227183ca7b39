"""``python -m tests.servers``: fetches ahead what no package of Python's or Debian's has.

Once, into the cache of real parts: Temporal's and Pulsar's servers, and the service in Node.js.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.neighbours import node
from tests.servers.fetched import jars, modules

ALL: tuple[Callable[[], Path], ...] = (
    partial(jars, "temporal"),
    partial(jars, "pulsar"),
    partial(modules, node.HERE),
)


def main() -> None:
    for fetch in ALL:
        try:
            fetch()
        except pytest.skip.Exception as why:
            print(f"left out: {why.msg}")  # its tests say so too


if __name__ == "__main__":
    main()
