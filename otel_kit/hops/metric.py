"""What a metric is called and how its measurements are summed up."""

from typing import NamedTuple


class Metric(NamedTuple):
    """A histogram of seconds, or a counter if it has no buckets."""

    name: str
    unit: str
    description: str = ""
    buckets: tuple[float, ...] = ()
    """Upper bounds, in seconds."""
    of_messages: bool = False
    """A counter of messages rather than of hops."""
