"""What NATS's subjects say of a message, in every version of the protocol, and of strangers."""

from types import SimpleNamespace

import pytest

from otel_kit.integrations._nats import NO_DELIVERY, Delivery

AT = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    "reply",
    [
        f"$JS.ACK.ORDERS.workers.3.17.4.{AT}.5",
        f"$JS.ACK._.hash.ORDERS.workers.3.17.4.{AT}.5",
        f"$JS.ACK.hub.hash.ORDERS.workers.3.17.4.{AT}.5.random",
    ],
    ids=["before 2.2", "without a domain", "with a domain"],
)
def test_a_delivery_is_read(reply: str) -> None:
    """Its stream and consumer, its number, and when the stream took the message."""
    found = Delivery.of(SimpleNamespace(reply=reply))

    assert found[:4] == ("ORDERS", "workers", 3, "17")
    assert found.sent_at == pytest.approx(AT / 1e9)


@pytest.mark.parametrize("reply", ["", "_INBOX.x.y", "$JS.ACK.", "$JS.ACK.a.b", "$JS.API.INFO"])
def test_what_is_no_delivery_says_nothing(reply: str) -> None:
    """A message of the core has none; what nobody knows is none."""
    assert Delivery.of(SimpleNamespace(reply=reply)) is NO_DELIVERY
