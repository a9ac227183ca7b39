"""Lag in messages and in seconds, by arithmetic alone."""

import pytest

from otel_kit.gauges.backlog import Backlog, Known

HOUR = 3600.0


def looked(*looks: tuple[Known, dict[int, float | None]], at: float = 1000.0) -> Backlog:
    """A backlog after looks one second apart, the first of them at `at`."""
    backlog = Backlog()
    for second, (known, in_hand) in enumerate(looks):
        backlog.look(known, in_hand, at + second)
    return backlog


def known(position: int, end: int | None, *, fresh: bool = True) -> Known:
    return Known(position, end, fresh)


def test_an_idle_queue_has_no_lag_however_long_it_idles() -> None:
    """Nothing is waiting, so nothing grows old."""
    backlog = looked((known(5, 5), {}))

    assert (backlog.depth, backlog.lag, backlog.lag_time(1000 + 24 * HOUR)) == (0, 0, 0)


def test_the_message_being_handled_is_lag_and_not_depth() -> None:
    """It left the queue, and its age counts until it is handled."""
    backlog = looked((known(5, 5), {4: 990.0}))

    assert (backlog.depth, backlog.lag, backlog.lag_time(1000)) == (0, 1, 10)


@pytest.mark.parametrize("later", [1, 60, HOUR, 24 * HOUR])
def test_the_lag_of_a_stuck_handler_grows_with_the_clock(later: float) -> None:
    """One second per second, from the message's own time."""
    backlog = looked((known(5, 9), {4: 990.0}))

    assert backlog.lag == 5
    assert backlog.lag_time(1000 + later) == 10 + later


def test_a_paused_partition_grows_old_from_when_the_log_was_seen_to_grow() -> None:
    """A message nobody fetched is as old as the first look that knew of it."""
    backlog = looked((known(5, 5), {}), (known(5, 5, fresh=False), {}))
    backlog.told(6, 1002)
    backlog.told(9, 1005)

    assert (backlog.depth, backlog.lag, backlog.lag_time(1012)) == (4, 4, 10)


def test_what_is_handled_makes_the_next_message_the_oldest() -> None:
    """After the first of two arrivals is handled the second one's time counts."""
    backlog = looked((known(5, 6, fresh=False), {}))
    backlog.told(8, 1030)
    backlog.look(known(6, 8), {}, 1040)

    assert backlog.lag_time(1040) == 10


def test_a_backlog_older_than_the_first_look_is_as_old_as_its_neighbour() -> None:
    """Between two messages of an old backlog its age does not drop to that of the process."""
    backlog = looked((known(1, 50), {0: 400.0}), (known(1, 50), {}))

    assert backlog.lag_time(1001) == 601


def test_a_broker_that_was_asked_is_believed_until_the_consumer_fetches_again() -> None:
    """Also if the topic was made anew and is shorter now."""
    backlog = looked((known(5, 5, fresh=False), {}))
    backlog.told(100, 1001)
    backlog.look(known(5, 5, fresh=False), {}, 1002)
    paused = backlog.lag
    backlog.look(known(2, 3), {}, 1003)

    assert (paused, backlog.lag) == (95, 1)


def test_seeking_back_makes_lag_of_what_was_handled() -> None:
    """A position that moves back is believed."""
    backlog = looked((known(9, 9), {}), (known(0, 9), {}))

    assert (backlog.lag, backlog.lag_time(1031)) == (9, 30)


def test_emptiness_that_nobody_confirms_is_doubtful() -> None:
    """An old 0 is not reported as a fresh one; an old backlog still is one."""
    empty, full = looked((known(5, 5), {})), looked((known(5, 6), {}))
    never = looked((known(5, None, fresh=False), {}))

    assert not empty.doubtful(999)
    assert empty.doubtful(1001)
    assert not full.doubtful(1001)
    assert never.doubtful(0)


def test_a_message_from_the_future_is_not_old() -> None:
    """Where two clocks disagree its age is zero."""
    assert looked((known(1, 1), {0: 5000.0})).lag_time(1000) == 0


def test_a_stall_of_a_day_takes_little_memory() -> None:
    """The looks are thinned out, and the oldest message keeps its age."""
    backlog = looked((known(0, 0), {}))
    for second in range(1, 24 * 3600, 5):
        backlog.told(second, 1000.0 + second)

    assert len(backlog._seen) <= 256
    assert backlog.lag_time(1000 + 24 * HOUR) == 24 * HOUR - 1
