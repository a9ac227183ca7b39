"""Which tokens of a destination's name are ids, and what stands for them."""

import pytest

from otel_kit.integrations._subjects import pattern, template


@pytest.mark.parametrize(
    ("name", "bounded"),
    [
        ("orders.42.paid", "orders.*.paid"),
        ("orders.0af7651916cd43dd8448eb211c80319c", "orders.*"),
        ("orders.123e4567-e89b-12d3-a456-426614174000.paid", "orders.*.paid"),
        ("orders.01ARZ3NDEKTSV4RRFFQ69G5FAV", "orders.*"),
        ("42", "*"),
    ],
)
def test_what_looks_like_an_id_is_left_out(name: str, bounded: str) -> None:
    """Numbers, UUIDs, and long tokens of letters and digits."""
    assert template(name, ".", "*") == bounded


@pytest.mark.parametrize(
    "name",
    ["orders", "orders.v1.paid", "orders.eu-west-1", "", "a..b", "internationalization.of.orders"],
)
def test_what_is_a_word_stays(name: str) -> None:
    """A name without ids has no template."""
    assert template(name, ".", "*") is None


@pytest.mark.parametrize(
    ("subscribed", "bounded"),
    [("orders.*", True), ("orders.>", True), ("orders", False), (">", False), ("*.*", False)],
)
def test_a_subscription_is_a_template_if_it_tells_anything(subscribed: str, bounded: bool) -> None:
    """It has wildcards, and not wildcards alone."""
    assert pattern(subscribed, ".", ("*", ">")) == (subscribed if bounded else None)


def test_an_empty_level_is_no_wildcard() -> None:
    """A topic of MQTT may begin with a separator."""
    assert pattern("/orders/paid", "/", ("+", "#")) is None
