"""The table at the end of a run of ``--once``."""

from collections.abc import Iterable, Mapping

import httpx
from rich.console import Console
from rich.table import Table

from demo.launcher.board import Board, Order
from demo.launcher.traces import Story, story_of


async def stories(query_url: str, orders: Iterable[Order]) -> dict[str, Story]:
    """Return what the collector knows of these orders, by order id."""
    known: dict[str, Story] = {}
    async with httpx.AsyncClient(base_url=query_url, timeout=10.0, trust_env=False) as client:
        for order in orders:
            if (story := await story_of(client, order.id)) is not None:
                known[order.id] = story
    return known


def print_table(console: Console, board: Board, known: Mapping[str, Story]) -> None:
    table = Table("order", "outcome", box=None, header_style="bold", pad_edge=False)
    for column in ("traces", "hops", "spans", "duration"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("slowest edge", no_wrap=True)
    for order in board.orders.values():
        outcome = order.outcome or "running"
        table.add_row(order.id, outcome, *_cells(order, known.get(order.id)))
    console.print(table)


def print_urls(console: Console, query_url: str, known: Mapping[str, Story]) -> None:
    for order_id, story in known.items():
        for trace_id in sorted(story.trace_ids):
            console.print(f"{order_id}  {query_url}/api/traces/{trace_id}", soft_wrap=True)


def _cells(order: Order, story: Story | None) -> tuple[str, ...]:
    if story is None:
        return ("", "", "", f"{order.seconds:.2f} s" if order.outcome else "", "")
    return (
        str(len(story.trace_ids)),
        str(story.hops),
        str(len(story.spans)),
        f"{story.duration:.2f} s",
        str(story.slowest_edge or ""),
    )
