"""What was asked for on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo import config
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
    explorer: bool

    @property
    def needed_ports(self) -> dict[str, int]:
        """The ports that something of this run listens on."""
        unused = () if self.collector else config.COLLECTOR_PORTS
        unused = unused if self.explorer else (*unused, "explorer")
        return {name: port for name, port in self.ports.items() if name not in unused}
