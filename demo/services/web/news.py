"""What became of each order, for those who wait to hear it."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator

from pydantic import BaseModel

REMEMBERED = 10_000


class News(BaseModel):
    """One thing that happened to an order; ``id`` is the same when it is told twice."""

    id: str
    type: str
    order_id: str
    outcome: str


class NewsDesk:
    """The latest orders' news; the oldest orders are forgotten."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._by_order: OrderedDict[str, dict[str, News]] = OrderedDict()
        self._changed = asyncio.Condition()

    async def publish(self, news: News) -> None:
        async with self._changed:
            self._by_order.setdefault(news.order_id, {})[news.id] = news
            while len(self._by_order) > self._remembered:
                self._by_order.popitem(last=False)
            self._changed.notify_all()

    async def follow(self, order_id: str) -> AsyncIterator[News]:
        """Yield the news of one order, old and new, up to its outcome."""
        told: set[str] = set()
        while True:
            for news in await self._fresh(order_id, told):
                yield news
                told.add(news.id)
                if news.outcome:
                    return

    async def _fresh(self, order_id: str, told: set[str]) -> list[News]:
        def fresh() -> list[News]:
            return [news for news in self._of(order_id) if news.id not in told]

        async with self._changed:
            return await self._changed.wait_for(fresh)

    def _of(self, order_id: str) -> list[News]:
        return list(self._by_order.get(order_id, {}).values())
