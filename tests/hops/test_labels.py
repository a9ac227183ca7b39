"""Limits of label values: what is past them is visible as such, and still counted."""

import otel_kit
from otel_kit import Hop, names
from otel_kit.hops.labels import CONVENTIONAL_LIMIT, LIMITS
from otel_kit.testing import Telemetry, capture

MORE = 50
"""How many values go past each limit."""


def values(telemetry: Telemetry, metric: str, label: str) -> set[str]:
    return {point.labels[label] for point in telemetry.points(metric) if label in point.labels}


def test_ids_in_operations_and_destinations_stay_within_their_limits() -> None:
    """An application that names its topics and groups by ids loses that detail, no more."""
    many = max(LIMITS.values()) + MORE
    with capture("orders") as telemetry:
        for number in range(many):
            hop = otel_kit.incoming(
                "kafka", f"topic-{number}", carrier={}, group=f"group-{number}", sent_at=1e9
            )
            with otel_kit.process(hop):
                pass

    assert telemetry.count(names.HOP_DURATION) == telemetry.count(names.QUEUE_DURATION) == many
    for metric, label in (
        (names.HOP_DURATION, names.OPERATION),
        (names.PROPAGATION_MESSAGES, names.DESTINATION),
        (names.QUEUE_DURATION, names.DESTINATION),
        (names.QUEUE_DURATION, names.GROUP),
    ):
        assert len(values(telemetry, metric, label)) == LIMITS[label] + 1
        assert telemetry.count(metric, **{label: "_OTHER"}) == MORE


def test_transports_are_few() -> None:
    """A made-up system in a hop of the application's own counts as any other."""
    many = LIMITS[names.TRANSPORT] + MORE
    with capture("orders") as telemetry:
        for number in range(many):
            with otel_kit.serve(Hop(system=f"system-{number}", operation="work")):
                pass

    assert telemetry.count(names.HOP_DURATION, transport="_OTHER") == MORE


def test_the_conventions_labels_are_bounded_too() -> None:
    """A client that calls thousands of hosts has so many of them in its labels, and no more."""
    with capture("crawler") as telemetry:
        for number in range(CONVENTIONAL_LIMIT + MORE):
            host = f"host-{number}"
            request = otel_kit.http_request("GET", carrier={}, scheme="http", host=host, port=80)
            with otel_kit.call(request):
                pass

    metric = names.HTTP_CLIENT_DURATION
    assert len(values(telemetry, metric, names.SERVER_ADDRESS)) == CONVENTIONAL_LIMIT + 1
    assert telemetry.count(metric, **{names.SERVER_ADDRESS: "_OTHER"}) == MORE
    assert telemetry.count(names.HOP_DURATION, server="_OTHER") == CONVENTIONAL_LIMIT + MORE - 200
    assert len(values(telemetry, names.HOP_DURATION, names.SERVER)) == 201


def test_a_label_value_is_cut() -> None:
    """Text without end never becomes a label."""
    with capture() as telemetry, otel_kit.serve(Hop(system="test", operation="x" * 10_000)):
        pass

    assert values(telemetry, names.HOP_DURATION, names.OPERATION) == {"x" * 256}
