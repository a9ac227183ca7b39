"""The webhook."""

import sqlite3
from typing import Final

import httpx

from demo import config
from demo.messaging.delivery import Transient
from demo.messaging.message import Message
from demo.storage import inbox
from demo.storage.database import transaction

TIMEOUT: Final = 3.0


class WebhookFailed(Transient):
    """Nobody took the news."""


def http_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=config.url("web"), timeout=TIMEOUT)


async def tell(database: sqlite3.Connection, client: httpx.AsyncClient, fact: Message) -> None:
    """Tell of an outcome, at least once; the listener knows a repeat by the fact's id.

    Raises:
        WebhookFailed: the listener could not be reached or refused.
    """
    if inbox.answer_to(database, fact.id) is not None:
        return
    body = {"id": fact.id, "type": fact.type, "order_id": fact.order_id, "outcome": _outcome(fact)}
    try:
        (await client.post("/webhooks/orders", json=body)).raise_for_status()
    except httpx.HTTPError as error:
        raise WebhookFailed(repr(error)) from error
    with transaction(database):
        inbox.remember(database, fact.id)


def _outcome(fact: Message) -> str:
    return str(fact.data.get("outcome", ""))
