"""Names of the other side."""

from otel_kit.hops.peers import Bounded, Peers


def test_a_signal_handler_may_meet_somebody_new_while_somebody_new_is_met() -> None:
    """It runs in the thread that it interrupts, which may hold the lock."""
    bounded = Bounded(2)
    with bounded._lock:
        assert bounded("web") == "web"


def test_labels_are_bounded() -> None:
    """After the limit every new value is `_OTHER`, and the known ones stay."""
    bounded = Bounded(2)

    assert [bounded(value) for value in "abca"] == ["a", "b", "_OTHER", "a"]


def test_an_address_is_told_learned_or_itself() -> None:
    """`OTEL_KIT_PEERS` comes first, with or without a port, then what answered before."""
    peers = Peers({"10.0.0.1": "told", "10.0.0.2:80": "precise"}, 100)
    peers.learn("10.0.0.3:80", "learned")

    asked = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"]
    assert [peers.name_of(a, a) for a in asked] == ["told", "precise", "learned", "10.0.0.4:80"]


def test_a_gateway_with_several_services_is_not_guessed() -> None:
    """An address that answered with two names is its own name again."""
    peers = Peers({}, 100)
    for service in ("orders", "billing", "orders"):
        peers.learn("gateway:80", service)

    assert peers.name_of("gateway:80", "gateway:80") == "gateway:80"
