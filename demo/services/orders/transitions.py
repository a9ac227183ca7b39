"""The saga as a table: where an order stands, what is heard, what happens next."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from demo.messaging import message

DEAD_LETTERED: Final = "DeadLettered"
"""Heard when a command of the order ended in a dead-letter topic."""


class Status(StrEnum):
    RESERVING = "reserving"
    CHARGING = "charging"
    RELEASING = "releasing"
    CONFIRMED = "confirmed"
    FAILED = "failed"


Outcome = Literal["completed", "compensated", "partially_compensated", "failed"]


@dataclass(frozen=True)
class Transition:
    """The new status, the message to send, and the outcome if the saga ends here."""

    status: Status
    send: str
    outcome: Outcome | None = None


_CHARGE = Transition(Status.CHARGING, message.CHARGE_PAYMENT)
_CONFIRM = Transition(Status.CONFIRMED, message.ORDER_CONFIRMED, "completed")
_RELEASE = Transition(Status.RELEASING, message.RELEASE_INVENTORY)


def _fail(outcome: Outcome) -> Transition:
    return Transition(Status.FAILED, message.ORDER_FAILED, outcome)


_TRANSITIONS: Final = {
    (Status.RESERVING, message.INVENTORY_RESERVED): _CHARGE,
    (Status.RESERVING, message.INVENTORY_REJECTED): _fail("failed"),
    (Status.RESERVING, DEAD_LETTERED): _fail("failed"),
    (Status.CHARGING, message.PAYMENT_CHARGED): _CONFIRM,
    (Status.CHARGING, message.PAYMENT_DECLINED): _RELEASE,
    (Status.CHARGING, DEAD_LETTERED): _RELEASE,
    (Status.RELEASING, message.INVENTORY_RELEASED): _fail("compensated"),
    (Status.RELEASING, DEAD_LETTERED): _fail("partially_compensated"),
}


def after(status: str, heard: str) -> Transition | None:
    """Return what follows, or None if this is not to be heard at this point (a late repeat)."""
    return _TRANSITIONS.get((Status(status), heard))
