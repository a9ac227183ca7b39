"""The saga's table."""

import pytest

from demo.messaging import message as m
from demo.services.orders import transitions
from demo.services.orders.transitions import DEAD_LETTERED, Status


@pytest.mark.parametrize(
    ("heard", "sent", "outcome"),
    [
        (
            [m.INVENTORY_RESERVED, m.PAYMENT_CHARGED],
            [m.CHARGE_PAYMENT, m.ORDER_CONFIRMED],
            "completed",
        ),
        ([m.INVENTORY_REJECTED], [m.ORDER_FAILED], "failed"),
        ([DEAD_LETTERED], [m.ORDER_FAILED], "failed"),
        (
            [m.INVENTORY_RESERVED, m.PAYMENT_DECLINED, m.INVENTORY_RELEASED],
            [m.CHARGE_PAYMENT, m.RELEASE_INVENTORY, m.ORDER_FAILED],
            "compensated",
        ),
        (
            [m.INVENTORY_RESERVED, DEAD_LETTERED, DEAD_LETTERED],
            [m.CHARGE_PAYMENT, m.RELEASE_INVENTORY, m.ORDER_FAILED],
            "partially_compensated",
        ),
    ],
)
def test_the_ways_an_order_can_go(heard: list[str], sent: list[str], outcome: str) -> None:
    """Each way through the saga sends these messages and ends so."""
    status, done = str(Status.RESERVING), []
    for kind in heard:
        transition = transitions.after(status, kind)
        assert transition is not None
        status = transition.status
        done.append(transition.send)
    assert (done, transition.outcome) == (sent, outcome)


@pytest.mark.parametrize("status", [Status.CONFIRMED, Status.FAILED])
def test_nothing_moves_an_order_that_has_ended(status: Status) -> None:
    """A late reply to an order that is over changes nothing."""
    assert transitions.after(status, m.INVENTORY_RESERVED) is None
