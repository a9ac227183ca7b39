"""What can be ordered."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Item:
    price_cents: int
    in_stock: int


ITEMS: Final = {
    "kettle": Item(price_cents=39_00, in_stock=1_000_000),
    "teapot": Item(price_cents=25_50, in_stock=1_000_000),
    "cup": Item(price_cents=6_90, in_stock=1_000_000),
}
