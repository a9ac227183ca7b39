"""Customers: they place orders over HTTP and follow each to its outcome."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx

from demo.catalogue import ITEMS
from demo.launcher.board import Board, Order

PATIENCE: Final = 10.0
"""Seconds a customer waits for the shop to take an order."""
AT_ONCE: Final = 500
"""So many orders may run at a time; then customers wait."""


class Traffic:
    """Places orders at a steady rate; ``changed`` is called with each order that ends."""

    def __init__(self, base_url: str, board: Board, changed: Callable[[Order], None]) -> None:
        self._base_url = base_url
        self._board = board
        self._changed = changed
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self, orders: int | None, rate: float) -> None:
        """Place so many orders (None: without end), ``rate`` a second, and follow them all."""
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=self._base_url, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            async for _ in _ticks(orders, rate):
                await self._room.acquire()
                group.create_task(self._one_order(client))

    async def _one_order(self, client: httpx.AsyncClient) -> None:
        try:
            if (order := await self._place(client)) is not None:
                await self._follow(client, order)
        finally:
            self._room.release()

    async def _place(self, client: httpx.AsyncClient) -> Order | None:
        item = random.choice(list(ITEMS))
        purchase = {"sku": item, "quantity": random.randint(1, 3)}
        try:
            reply = await client.post("/orders", json=purchase, timeout=PATIENCE)
            reply.raise_for_status()
        except httpx.HTTPError:
            self._board.refused += 1
            return None
        order = Order(reply.json()["id"], item)
        self._board.place(order)
        return order

    async def _follow(self, client: httpx.AsyncClient, order: Order) -> None:
        try:
            outcome = await _outcome(client, order.id)
        except httpx.HTTPError:
            return
        self._board.end(order, outcome)
        self._changed(order)


async def _outcome(client: httpx.AsyncClient, order_id: str) -> str:
    # No timeout: an order may take as long as a broken shop needs.
    async with client.stream("GET", f"/orders/{order_id}/events", timeout=None) as events:
        async for line in events.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "data" and (outcome := json.loads(value)["outcome"]):
                return str(outcome)
    raise httpx.RemoteProtocolError("the events ended before the order did")


async def _ticks(count: int | None, rate: float) -> AsyncIterator[int]:
    clock = asyncio.get_running_loop().time
    begun, tick = clock(), 0
    while count is None or tick < count:
        await asyncio.sleep(max(0.0, begun + tick / rate - clock()))
        yield tick
        tick += 1
