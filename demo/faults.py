"""What can be broken, by name.

A fault is on while its file exists in the ``faults`` folder of the run.  A file needs no
server, works across processes, and every service reads it at the moment it matters.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

from demo import config


class Fault(StrEnum):
    BILLING_DECLINES = "billing-declines"
    BANK_SLOW = "bank-slow"
    BANK_DOWN = "bank-down"
    OUT_OF_STOCK = "out-of-stock"
    CONSUMER_STALLED = "consumer-stalled"
    POISON_MESSAGE = "poison-message"
    CONTEXT_DROPPED = "context-dropped"
    DUPLICATE_DELIVERY = "duplicate-delivery"
    COMPENSATION_FAILS = "compensation-fails"


EFFECTS: Final = {
    Fault.BILLING_DECLINES: "the bank declines every charge; orders end compensated",
    Fault.BANK_SLOW: "the bank takes a second; orders complete, but wait for billing",
    Fault.BANK_DOWN: "the bank answers 503; billing's breaker opens, orders end compensated",
    Fault.OUT_OF_STOCK: "inventory rejects every order; orders end failed, nothing to undo",
    Fault.CONSUMER_STALLED: "inventory stops consuming; its queue grows until this is off",
    Fault.POISON_MESSAGE: "commands to inventory are unreadable; they become dead letters",
    Fault.CONTEXT_DROPPED: "a proxy before the bank drops trace headers; traces break there",
    Fault.DUPLICATE_DELIVERY: "orders sends every message twice; effects still happen once",
    Fault.COMPENSATION_FAILS: "the bank declines, stock cannot be released; partially compensated",
}


class UnknownFault(ValueError):
    """No fault has this name; the message lists those there are."""


def named(name: str) -> Fault:
    """Return the fault of this name.

    Raises:
        UnknownFault: there is none.
    """
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(Fault)
        raise UnknownFault(f"unknown fault {name!r}: the faults are {known}") from None


def is_on(fault: Fault) -> bool:
    return _file(fault).exists()


def switch(fault: Fault, *, on: bool) -> None:
    file = _file(fault)
    if on:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    else:
        file.unlink(missing_ok=True)


def _file(fault: Fault) -> Path:
    return config.directory() / "faults" / fault
