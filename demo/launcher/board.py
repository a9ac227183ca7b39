"""The state of the run: which orders were placed and what became of them."""

import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

RECENT: Final = 1000


@dataclass
class Order:
    """An order as its customer sees it; times in seconds of the monotonic clock."""

    id: str
    item: str
    placed_at: float = field(default_factory=time.monotonic)
    outcome: str = ""
    seconds: float = 0.0


class Board:
    """Counts, and the latest orders."""

    def __init__(self) -> None:
        self.placed = 0
        self.refused = 0
        self.outcomes: Counter[str] = Counter()
        self.orders: OrderedDict[str, Order] = OrderedDict()

    @property
    def running(self) -> int:
        return self.placed - self.outcomes.total()

    def place(self, order: Order) -> None:
        self.placed += 1
        self.orders[order.id] = order
        if len(self.orders) > RECENT:
            self.orders.popitem(last=False)

    def end(self, order: Order, outcome: str) -> None:
        order.outcome = outcome
        order.seconds = time.monotonic() - order.placed_at
        self.outcomes[outcome] += 1
