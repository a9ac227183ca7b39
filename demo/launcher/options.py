"""What was asked for on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.faults import Fault


@dataclass(frozen=True)
class Options:
    """``orders`` None: without end.  ``rate`` in orders a second, ``wait`` in seconds."""

    orders: int | None
    once: bool
    rate: float
    wait: float
    faults: Sequence[Fault]
    ports: Mapping[str, int]
    collector: bool
