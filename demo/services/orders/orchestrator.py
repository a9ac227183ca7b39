"""The conductor of the saga: hears a reply, moves the order on, says what comes next."""

import logging
import sqlite3
from typing import Any

import otel_kit
from demo.messaging import message, topics
from demo.messaging.message import Message
from demo.services.orders import book, outbox, transitions
from demo.services.orders.book import OrderRow
from demo.services.orders.placement import command
from demo.services.orders.relay import Relay
from demo.services.orders.transitions import Outcome, Transition
from demo.storage import inbox
from demo.storage.database import transaction

HEARS = (
    topics.REPLIES,
    topics.dead_letters(topics.INVENTORY_COMMANDS),
    topics.dead_letters(topics.BILLING_COMMANDS),
)

_TOPICS = {
    message.CHARGE_PAYMENT: topics.BILLING_COMMANDS,
    message.RELEASE_INVENTORY: topics.INVENTORY_COMMANDS,
    message.ORDER_CONFIRMED: topics.OUTCOMES,
    message.ORDER_FAILED: topics.OUTCOMES,
}

logger = logging.getLogger(__name__)


class Orchestrator:
    def __init__(self, database: sqlite3.Connection, relay: Relay) -> None:
        self._database = database
        self._relay = relay

    async def hear(self, record: Any) -> None:
        """Take one reply, or one command that nobody could handle."""
        heard = _read(record)
        with transaction(self._database):
            transition = self._move_on(heard)
        self._relay.wake()
        if transition is not None and transition.outcome is not None:
            _finish(transition.outcome)

    def _move_on(self, heard: Message) -> Transition | None:
        if inbox.answer_to(self._database, heard.id) is not None:
            return None
        inbox.remember(self._database, heard.id)
        order = book.find(self._database, heard.order_id)
        transition = transitions.after(order.status, heard.type) if order else None
        if order is None or transition is None:
            logger.warning("%s of %s is of no use now", heard.type, heard.order_id)
            return None
        book.advance(self._database, order.id, transition)
        outbox.append(self._database, _TOPICS[transition.send], _next_message(order, transition))
        return transition


def _read(record: Any) -> Message:
    if not topics.holds_dead_letters(record.topic):
        return Message.decode(record.value)
    # The value may be what made it a dead letter; the key still names the order.
    where = f"{record.topic}/{record.partition}/{record.offset}"
    return Message(
        transitions.DEAD_LETTERED, (record.key or b"").decode(errors="replace"), id=where
    )


def _next_message(order: OrderRow, transition: Transition) -> Message:
    if transition.outcome is None:
        return command(transition.send, order)
    data = {"outcome": transition.outcome, "amount_cents": order.amount_cents}
    return Message(transition.send, order.id, data)


def _finish(outcome: Outcome) -> None:
    saga = otel_kit.current_saga()
    if saga is not None:
        saga.finish(outcome)
