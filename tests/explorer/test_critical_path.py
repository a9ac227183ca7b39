"""What the time of a saga went into."""

from otel_kit.explorer.model import spent
from otel_kit.explorer.model.critical_path import critical_path
from tests.explorer.building import MS, Made, ms, order


def _pieces(made: Made) -> list[tuple[str, float, float, str, str]]:
    return [
        (piece.label, ms(piece.started_ns), ms(piece.ended_ns), piece.client, piece.server)
        for piece in critical_path(made.story()).pieces
    ]


def test_the_path_of_an_order_goes_through_its_queues() -> None:
    """Every hop of the order, async ones too, is on the path with its wait."""
    pieces = _pieces(order(charge=20, queued=10))

    assert pieces == [
        ("work", 0, 2, "web", "web"),
        ("network", 2, 4, "web", "orders"),
        ("work", 4, 10, "orders", "orders"),
        ("queue", 10, 15, "orders", "inventory"),
        ("work", 15, 16, "inventory", "inventory"),
        ("work", 16, 30, "inventory", "inventory"),
        ("work", 30, 32, "inventory", "inventory"),
        ("queue", 32, 45, "inventory", "orders"),
        ("work", 45, 50, "orders", "orders"),
        ("queue", 50, 60, "orders", "billing"),
        ("work", 60, 61, "billing", "billing"),
        ("work", 61, 62, "billing", "billing"),
        ("network", 62, 63, "billing", "bank"),
        ("work", 63, 83, "bank", "bank"),
        ("network", 83, 84, "billing", "bank"),
        ("work", 84, 85, "billing", "billing"),
        ("work", 85, 87, "billing", "billing"),
        ("queue", 87, 95, "billing", "orders"),
        ("work", 95, 100, "orders", "orders"),
    ]


def test_sums_by_label_and_edge_are_the_duration() -> None:
    """Nothing is counted twice and nothing is left out."""
    story = order().story()
    path = critical_path(story)

    assert sum(path.by_label.values()) == sum(path.by_edge.values()) == story.duration_ns
    assert next(iter(path.by_edge)) == ("bank", "bank", "work")


def test_the_sentence_names_what_took_most() -> None:
    """The share, of how long, into what."""
    path = critical_path(order(queued=250_000).story())

    assert spent.sentence(path) == (
        "> 99 % of 4 m 10 s went into waiting in the queue from orders to billing."
    )
    assert spent.sentence(critical_path(Made().story())) == ""
    assert spent.into("", "", "work") == "work in unknown"
    assert spent.into("a", "b", "gap") == "something unseen between a and b"


def test_of_parallel_branches_the_last_to_arrive_counts() -> None:
    """The other branch is not on the path."""
    made = Made()
    root = made.span("join", 0, 100, "orders", "server")
    made.call(10, 90, ("orders", "slow"), (12, 88), root)
    made.call(10, 50, ("orders", "fast"), (12, 48), root)

    assert {piece[4] for piece in _pieces(made)} == {"orders", "slow"}


def test_the_wait_between_attempts_is_backoff() -> None:
    """Also between siblings of other instrumentations, as long as the earlier one failed."""
    made = Made()
    root = made.span("retry", 0, 100)
    for number, (start, end) in enumerate([(0, 10), (30, 40), (90, 100)], start=1):
        error = "timeout" if number < 3 else ""
        made.span("attempt", start, end, under=root, error=error, otel_kit__retry__attempt=number)

    assert [(p[0], p[2] - p[1]) for p in _pieces(made)] == [
        ("work", 10),
        ("backoff", 20),
        ("work", 10),
        ("backoff", 50),
        ("work", 10),
    ]


def test_a_message_delivered_again_waited_in_backoff() -> None:
    """The failed handling before is on the path, not hidden in a long queue wait."""
    made = Made()
    root = made.span("work", 0, 2)
    first = made.message("q", 1, 5, 10, ("orders", "billing"), root, error="timeout")
    sender = next(span for span in made.spans if span.span_id == first.parent_span_id)
    made.span("process q", 50, 60, "billing", "consumer", under=sender)

    assert [(p[0], p[1], p[2]) for p in _pieces(made)] == [
        ("work", 0, 1),
        ("queue", 1, 5),
        ("work", 5, 10),
        ("backoff", 10, 50),
        ("work", 50, 60),
    ]


def test_a_call_whose_server_is_out_of_sight_is_split_by_what_the_server_said() -> None:
    """Without even that it is work behind the edge."""
    said, unsaid = Made(), Made()
    said.call(0, 10, ("a", "b"), None, otel_kit__server__duration=0.006)
    unsaid.call(0, 10, ("a", "b"), None)

    assert _pieces(said) == [
        ("network", 0, 2, "a", "b"),
        ("work", 2, 8, "b", "b"),
        ("network", 8, 10, "a", "b"),
    ]
    assert _pieces(unsaid) == [("work", 0, 10, "a", "b")]


def test_between_traces_joined_by_the_id_alone_the_time_is_a_gap() -> None:
    """What is not known is said not to be known."""
    made = Made()
    for trace in (1, 2, 3):
        made.span("work", trace * 10, trace * 10 + 5, f"s{trace}", trace=trace)

    assert _pieces(made) == [
        ("work", 10, 15, "s1", "s1"),
        ("gap", 15, 20, "s1", "s2"),
        ("work", 20, 25, "s2", "s2"),
        ("gap", 25, 30, "s2", "s3"),
        ("work", 30, 35, "s3", "s3"),
    ]


def test_a_hop_that_lost_its_context_is_followed_to_its_likely_sender() -> None:
    """The piece says that this is presumed."""
    made = Made()
    root = made.span("work", 0, 9)
    said = {"messaging__destination__name": "q"}
    made.span("send", 3, 4, "orders", "producer", under=root, **said)
    made.span("process", 8, 12, "b", "consumer", trace=2, otel_kit__propagation="missing", **said)
    pieces = critical_path(made.story()).pieces

    assert [(p.label, ms(p.started_ns), p.presumed) for p in pieces] == [
        ("work", 0, False),
        ("network", 3, False),
        ("queue", 4, True),
        ("work", 8, False),
    ]


def test_work_handed_over_within_a_service_waits_in_a_queue() -> None:
    """An outbox: the send begins after the span that wanted it has ended."""
    made = Made()
    root = made.span("place", 0, 10)
    made.message("q", 25, 30, 35, ("orders", "billing"), root)

    assert ("queue", 10.0, 25.0, "orders", "orders") in _pieces(made)


def test_a_server_that_outlives_its_call_was_awaited_as_long_as_the_call() -> None:
    """A timeout: the caller went on while the server still worked."""
    made = Made()
    root = made.span("work", 0, 30, "a")
    made.call(5, 15, ("a", "b"), (6, 25), root, error="timeout")

    assert _pieces(made) == [
        ("work", 0, 5, "a", "a"),
        ("network", 5, 6, "a", "b"),
        ("work", 6, 15, "b", "b"),
        ("work", 15, 30, "a", "a"),
    ]


def test_a_long_request_beside_the_saga_is_no_cause() -> None:
    """Two roots at once: the later one began while the first was at work."""
    made = Made()
    made.span("GET /events", 0, 50, "web", "server")
    made.span("process", 20, 60, "orders", "consumer", trace=2)

    assert _pieces(made) == [("work", 0, 20, "web", "web"), ("work", 20, 60, "orders", "orders")]


def test_no_spans_have_no_path() -> None:
    """An empty saga takes no time."""
    assert _pieces(Made()) == []


def test_ten_thousand_spans_in_a_chain_of_hops() -> None:
    """A deep saga is walked without recursion, to the nanosecond."""
    made = Made()
    above = made.span("root", 0, 1)
    for hop in range(2_500):
        sent = hop * 4 + 0.5 if hop else 0.5
        above = made.message("q", sent, sent + 2, sent + 5, ("a", "b"), above)
        made.span("work", sent + 2.5, sent + 3, "b", under=above)
        made.call(sent + 3, sent + 3.5, ("b", "c"), None, above)
    story = made.story()

    assert len(story.spans) == 10_001
    assert sum(critical_path(story).by_label.values()) == story.duration_ns > 9_000 * MS
