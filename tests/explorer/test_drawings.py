"""Compare, service map, sequence diagram: what the views beside the timeline draw."""

import pytest

from otel_kit.explorer.model.compare import compare, healthy, profile, sentence
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.sequence import sequence
from otel_kit.explorer.model.service_map import path_over, service_map
from otel_kit.explorer.model.steps import steps
from otel_kit.records import BreakerRecord, EdgeRecord, PropagationRecord, Quantiles, QueueRecord
from tests.explorer.building import Made, ms, order


def test_a_slow_order_against_the_healthy_median() -> None:
    """What took longer is found by step, queue and call; the rest is alike."""
    slow = order(charge=1_020, queued=14_010)
    slow.step("refund", 16_000, 16_500, "billing")
    differences = compare(profile(slow.story()), healthy([order(f"o-{n}").story() for n in "abc"]))
    changed = {(d.what, d.name): d.change for d in differences if d.change != "alike"}

    assert changed == {
        ("saga", ""): "longer",
        ("step", "charge-payment"): "longer",
        ("step", "refund"): "extra",
        ("queue", "billing.commands"): "longer",
        ("call", "billing → bank"): "longer",
    }
    assert differences[0].what == "saga"
    assert sentence(differences) == (
        "14.0 s more waiting in `billing.commands`, 1.0 s more in `charge-payment`"
        " and 1.0 s more in `billing → bank`"
    )


def test_what_is_missing_and_what_was_tried_more_often() -> None:
    """Attempts are compared too."""
    mine, other = Made(), Made()
    mine.step("charge", 0, 10, "billing", error="timeout")
    mine.step("charge", 20, 30, "billing", error="timeout")
    mine.step("charge", 40, 50, "billing")
    other.step("charge", 0, 10, "billing")
    other.step("ship", 20, 30, "shipping")
    differences = compare(profile(mine.story()), profile(other.story()))

    assert {(d.name, d.change, d.more_times) for d in differences if d.what == "step"} == {
        ("charge", "longer", 2),
        ("ship", "missing", -1),
    }
    assert "40 ms more in `charge` (2 extra attempts)" in sentence(differences)
    assert "`ship` not here (10 ms)" in sentence(differences)


def test_the_median_has_what_half_of_the_sagas_have() -> None:
    """One odd saga among three does not make its step usual."""
    odd = order()
    odd.step("refund", 200, 210, "billing")
    median = healthy([order().story(), odd.story(), order(charge=40).story()])

    assert ("step", "refund") not in median
    assert median["step", "charge-payment"].seconds == pytest.approx(0.024)
    assert healthy([]) == {}


def _around() -> Surroundings:
    return Surroundings(
        edges=[
            EdgeRecord("billing", "bank", "http", "server", 100, {"timeout": 5}, Quantiles(0.1)),
            EdgeRecord("orders", "kafka", "kafka", "producer", 50),
            EdgeRecord("orders", "billing", "kafka", "consumer", 50, queue=Quantiles(0.2, 1, 2)),
            EdgeRecord("unknown", "orders", "grpc", "server", 7),
            EdgeRecord("billing", "api.example:443", "http", "client", 3),
        ],
        queues=[QueueRecord("kafka", "billing.commands", "billing", lag=40, lag_time_s=9)],
        breakers=[BreakerRecord("bank", "bank", "billing", "half_open", None, 9.0, 1, 3)],
        propagation=[PropagationRecord("orders", "billing", "kafka", "q", {"missing": 1})],
    )


def test_the_map_has_services_brokers_and_marks() -> None:
    """What producers alone name is a broker; what is wrong stands where it is wrong."""
    drawn = service_map(_around(), window_s=50)
    edges = {(edge.client, edge.server): edge for edge in drawn.edges}

    assert {node.name: node.kind for node in drawn.nodes} == {
        "api.example:443": "outside",
        "bank": "service",
        "billing": "service",
        "kafka": "broker",
        "orders": "service",
        "unknown": "outside",
    }
    bank = edges["billing", "bank"]
    assert (bank.rate, bank.error_share) == (2.0, 0.05)
    assert [mark.clause for mark in bank.marks] == ["the breaker `bank` is half-open"]
    assert [mark.clause for mark in edges["orders", "billing"].marks] == [
        "100 % arrive without context on `q`"
    ]
    [billing] = [node for node in drawn.nodes if node.name == "billing"]
    assert [m.clause for m in billing.marks] == [
        "40 messages in `billing.commands`, the oldest 9.0 s old"
    ]
    assert service_map(_around()).edges[0].rate is None
    assert service_map(Surroundings()).nodes == ()


def test_one_sagas_path_over_the_map() -> None:
    """Edges in the order they were first passed, between services."""
    assert [(p.client, p.server, p.times) for p in path_over(order().story())] == [
        ("unknown", "web", 1),
        ("web", "orders", 1),
        ("orders", "inventory", 1),
        ("inventory", "orders", 1),
        ("orders", "billing", 1),
        ("billing", "bank", 1),
        ("billing", "orders", 1),
    ]


def test_the_sequence_of_an_order() -> None:
    """Calls with replies, messages, steps as notes; in order."""
    story = order().story()
    drawn = sequence(story, steps(story))

    assert drawn.participants == ("unknown", "web", "orders", "inventory", "billing", "bank")
    assert [(m.kind, m.sender, m.receiver, m.text) for m in drawn.messages] == [
        ("call", "unknown", "web", "POST /orders"),
        ("call", "web", "orders", "POST /"),
        ("message", "orders", "inventory", "inventory.commands"),
        ("note", "inventory", "inventory", "reserve-inventory"),
        ("reply", "orders", "web", "ok"),
        ("reply", "web", "unknown", "ok"),
        ("message", "inventory", "orders", "orders.replies"),
        ("message", "orders", "billing", "billing.commands"),
        ("note", "billing", "billing", "charge-payment"),
        ("call", "billing", "bank", "POST /"),
        ("reply", "bank", "billing", "ok"),
        ("message", "billing", "orders", "orders.replies"),
    ]


def test_a_message_nobody_took_and_one_out_of_the_blue() -> None:
    """The one does not arrive, the other is marked as lost and has its likely sender."""
    made = Made()
    root = made.span("work", 0, 9)
    for queue in ("q", "r"):
        made.span("s", 1, 2, "a", "producer", under=root, messaging__destination__name=queue)
    said = {"messaging__destination__name": "q", "otel_kit__propagation": "missing"}
    made.span("process", 5, 6, "b", "consumer", trace=2, **said)
    story = made.story()
    drawn = sequence(story, steps(story)).messages

    assert [(m.sender, m.receiver, m.text, m.lost) for m in drawn] == [
        ("a", "r", "r", False),
        ("a", "b", "q", True),
    ] or [(m.sender, m.receiver, m.text, m.lost) for m in drawn] == [
        ("a", "b", "q", True),
        ("a", "r", "r", False),
    ]
    assert [m.arrived_ns and ms(m.arrived_ns) for m in drawn if m.text == "r"] == [None]
