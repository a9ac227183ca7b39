"""What inventory does on each command."""

import sqlite3

import otel_kit
from demo.faults import Fault, is_on
from demo.messaging import message
from demo.messaging.delivery import Transient
from demo.messaging.message import MalformedMessage, Message
from demo.services.inventory import stock
from demo.services.inventory.stock import OutOfStock
from demo.storage import inbox
from demo.storage.database import transaction


class WarehouseUnavailable(Transient):
    """The warehouse does not answer."""


def handle(database: sqlite3.Connection, command: Message) -> Message:
    """Carry out a command, once, and return the reply to it; a repeat gets the same reply."""
    if (answer := inbox.answer_to(database, command.id)) is not None:
        return Message.decode(answer)
    if command.type == message.RESERVE_INVENTORY:
        return _reserve(database, command)
    if command.type == message.RELEASE_INVENTORY:
        return _release(database, command)
    raise MalformedMessage(f"inventory knows no command {command.type!r}")


def _reserve(database: sqlite3.Connection, command: Message) -> Message:
    try:
        with otel_kit.step("reserve-inventory"), transaction(database):
            if is_on(Fault.OUT_OF_STOCK):
                raise OutOfStock(f"{command.data['sku']!r} is sold out")
            stock.reserve(database, command.order_id, command.data["sku"], command.data["quantity"])
            return _reply(database, command, message.INVENTORY_RESERVED)
    except OutOfStock:
        with transaction(database):
            return _reply(database, command, message.INVENTORY_REJECTED)


def _release(database: sqlite3.Connection, command: Message) -> Message:
    with otel_kit.compensate("reserve-inventory"), transaction(database):
        if is_on(Fault.COMPENSATION_FAILS):
            raise WarehouseUnavailable("the warehouse does not answer")
        stock.release(database, command.order_id)
        return _reply(database, command, message.INVENTORY_RELEASED)


def _reply(database: sqlite3.Connection, command: Message, kind: str) -> Message:
    reply = Message(kind, command.order_id)
    inbox.remember(database, command.id, reply.encode())
    return reply
