"""Reading an order's story from spans."""

from demo.launcher.traces import Span, Story


def span(name: str, parent: str, service: str, kind: str, start: float, seconds: float) -> Span:
    return Span(name, "t", parent, service, kind, start, seconds)


STORY = Story(
    (
        span("a", "", "web", "server", 0.0, 0.5),
        span("b", "a", "web", "client", 0.1, 0.3),
        span("c", "b", "orders", "server", 0.2, 0.1),
        span("d", "c", "orders", "internal", 0.2, 0.05),
        span("e", "d", "orders", "producer", 0.2, 0.01),
        span("f", "e", "billing", "consumer", 2.2, 1.0),
    )
)


def test_hops_are_the_spans_at_a_boundary() -> None:
    """Client, server, producer and consumer spans are hops; internal ones are not."""
    assert STORY.hops == 5


def test_duration_reaches_from_the_first_start_to_the_last_end() -> None:
    """The duration of an order covers spans that outlive the first one."""
    assert round(STORY.duration, 6) == 3.2


def test_the_slowest_edge_counts_waiting_in_a_queue() -> None:
    """A call counts as long as its client waited, a message as long as it lay in the queue."""
    assert str(STORY.slowest_edge) == "orders → billing 2.000 s"
