"""How readings of several sources become one series each."""

from otel_kit.gauges import readings
from otel_kit.gauges.readings import Queue, Reading, combined

QUEUE = Queue("kafka", "orders", "g")


def test_messages_add_up_and_the_oldest_counts() -> None:
    """Two consumers of one group in one process, or two partitions, are one series."""
    one, other = Reading(QUEUE, 1, 2, 3), Reading(QUEUE, 10, 20, 1)

    assert combined([one, other]) == [Reading(QUEUE, 11, 22, 3)]


def test_what_nobody_knows_stays_unknown() -> None:
    """No value is not the value zero."""
    assert combined([Reading(QUEUE, lag=1), Reading(QUEUE, lag=2)]) == [Reading(QUEUE, None, 3)]


def test_the_number_of_series_is_bounded() -> None:
    """Further queues are one series, visible as overflow."""
    most = readings.MAX_SERIES
    found = combined(Reading(Queue("kafka", f"t{n}", "g"), 1) for n in range(most + 5))

    assert len(found) == most + 1
    assert found[-1] == Reading(Queue("kafka", "_OTHER", "_OTHER"), 5)
