"""What billing does on a command."""

import sqlite3
from typing import Final

import otel_kit
from demo.messaging import message
from demo.messaging.message import MalformedMessage, Message
from demo.services.billing.bank_client import BankClient, PaymentDeclined
from demo.storage import inbox
from demo.storage.database import transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payments (order_id TEXT PRIMARY KEY, amount_cents INTEGER, state TEXT);
"""


async def handle(database: sqlite3.Connection, bank: BankClient, command: Message) -> Message:
    """Charge for an order, once, and return the reply; a repeat gets the same reply."""
    if command.type != message.CHARGE_PAYMENT:
        raise MalformedMessage(f"billing knows no command {command.type!r}")
    if (answer := inbox.answer_to(database, command.id)) is not None:
        return Message.decode(answer)
    kind = await _charge(bank, command)
    with transaction(database):
        payment = (command.order_id, command.data["amount_cents"], kind)
        database.execute("INSERT INTO payments VALUES (?, ?, ?)", payment)
        reply = Message(kind, command.order_id)
        inbox.remember(database, command.id, reply.encode())
    return reply


async def _charge(bank: BankClient, command: Message) -> str:
    try:
        with otel_kit.step("charge-payment"):
            # The bank charges once per key: a crash before our commit does not charge twice.
            await bank.charge(command.order_id, command.data["amount_cents"], key=command.id)
    except PaymentDeclined:
        return message.PAYMENT_DECLINED
    return message.PAYMENT_CHARGED
