"""What the explorer of the walks has to show."""

from tests.embedded import build
from tests.embedded.running import Client
from tests.explorer.building import Made, order
from tests.explorer.feeding import feed, figures

COMPLETED = 30
COMPENSATED = "ORD-7F-COMPENSATED"
STUCK = "ORD-9A-STUCK"
BROKEN = "ORD-B0-BROKEN"


def fill(client: Client) -> None:
    """Sagas in every state, and the metrics around them."""
    for number in range(COMPLETED):
        feed(client, order(f"ORD-{number:04}"), seconds_ago=600 + number)
    feed(client, _compensated(), seconds_ago=300)
    feed(client, _broken(), seconds_ago=250)
    feed(client, _stuck(), seconds_ago=200)
    client.send(build.metrics(figures(2), service="billing"))


def _compensated() -> Made:
    """The bank fails five times, and the reservation is undone."""
    made = Made(COMPENSATED)
    root = made.span("POST /orders", 0, 30, "web", "server")
    reserve = made.message("inventory.commands", 10, 15, 40, ("web", "inventory"), root)
    made.step("reserve-inventory", 16, 30, "inventory", under=reserve)
    bill = made.message("billing.commands", 50, 60, 900, ("inventory", "billing"), reserve)
    charge = made.step("charge-payment", 61, 890, "billing", under=bill, error="unavailable")
    for attempt in range(5):
        begun = 70 + attempt * 150
        made.call(
            begun, begun + 40, ("billing", "bank"), (begun + 5, begun + 30), charge,
            error="unavailable", otel_kit__retry__attempt=attempt + 1,
        )  # fmt: skip
    release = made.message("inventory.commands", 910, 930, 980, ("billing", "inventory"), bill)
    undone = made.undo("reserve-inventory", 935, 970, "inventory", under=release)
    made.finish(undone, "compensated")
    return made


def _broken() -> Made:
    """Two traces that only the id joins: a hop lost its context."""
    made = Made(BROKEN)
    root = made.span("POST /orders", 0, 30, "web", "server")
    reserve = made.message("inventory.commands", 10, 15, 40, ("web", "inventory"), root)
    made.span(
        "send billing.commands", 38, 39, "inventory", "producer", under=reserve,
        messaging__destination__name="billing.commands",
    )  # fmt: skip
    bill = made.span(
        "process billing.commands", 60, 90, "billing", "consumer", trace=2,
        messaging__destination__name="billing.commands", otel_kit__propagation="missing",
    )  # fmt: skip
    made.step("charge-payment", 61, 80, "billing", under=bill)
    made.finish(bill, "failed")
    return made


def _stuck() -> Made:
    """The payment has begun and never ended."""
    made = Made(STUCK)
    root = made.span("POST /orders", 0, 30, "web", "server")
    bill = made.message("billing.commands", 10, 20, 25, ("web", "billing"), root)
    made.step("reserve-inventory", 21, 23, "billing", under=bill)
    made.started("charge-payment", 24, "billing")
    return made
