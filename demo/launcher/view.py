"""What is shown while the demo runs: a live picture in a terminal, else a line per order."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo import faults
from demo.launcher.board import Board, Order

SHOWN = 12


class View(Protocol):
    """Told of each order that ended."""

    def __call__(self, order: Order) -> None: ...


@contextmanager
def view(console: Console, board: Board, heading: str) -> Iterator[View]:
    if not console.is_terminal:
        console.print(heading, highlight=False, soft_wrap=True)
        yield lambda order: console.print(_line(board, order), highlight=False)
        return
    with Live(get_renderable=lambda: _picture(board, heading), console=console):
        yield lambda order: None


def _line(board: Board, order: Order) -> str:
    return f"{board.outcomes.total():>5}  {order.id}  {order.outcome}  {order.seconds:.2f} s"


def _picture(board: Board, heading: str) -> RenderableType:
    latest = Table("order", "item", "outcome", "seconds", box=None, header_style="bold")
    for order in islice(reversed(board.orders.values()), SHOWN):
        ended = f"{order.seconds:.2f}" if order.outcome else ""
        latest.add_row(order.id, order.item, order.outcome or "…", ended)
    return Group(Text(heading), Text(_counts(board)), Text(_broken()), latest)


def _counts(board: Board) -> str:
    outcomes = "".join(f", {count} {name}" for name, count in sorted(board.outcomes.items()))
    refused = f", {board.refused} refused" if board.refused else ""
    return f"{board.placed} orders: {board.running} running{outcomes}{refused}"


def _broken() -> str:
    broken = [fault for fault in faults.Fault if faults.is_on(fault)]
    return f"broken: {', '.join(broken)}" if broken else "nothing is broken"
