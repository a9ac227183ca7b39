"""Traces of one saga on one axis: what joins them, and what is missing."""

from dataclasses import replace

from otel_kit.explorer.model.facts import key
from tests.explorer.building import Made, ms, order


def test_a_saga_of_one_trace_is_one_tree() -> None:
    """Without anything missing there is one root, one joint, and nothing to remark."""
    story = order().story()

    assert len(story.roots) == 1
    assert [joint.by for joint in story.joints] == ["first"]
    assert (story.gaps, story.skews) == ((), ())
    assert ms(story.started_ns) == 0


def test_three_traces_joined_only_by_the_id() -> None:
    """Traces that have nothing but the saga's id in common stand one after the other."""
    made = Made()
    for trace in (1, 2, 3):
        made.span("work", trace * 10, trace * 10 + 5, trace=trace)
    story = made.story()

    assert [joint.by for joint in story.joints] == ["first", "id", "id"]
    assert len(story.roots) == 3
    assert story.gaps == ()


def test_a_link_joins_a_trace_and_puts_its_root_below_what_is_linked() -> None:
    """A consumer with a link to the sender stands below it; of several, below the last."""
    made = Made()
    early = made.span("send", 0, 1, kind="producer")
    late = made.span("send", 2, 3, kind="producer")
    batch = made.span("process", 9, 12, "analytics", "consumer", trace=2, links=[late, early])
    story = made.story()

    assert [joint.by for joint in story.joints] == ["first", "link"]
    assert story.parents[key(batch)].key == key(late)
    assert story.parents[key(batch)].by == "link"


def test_a_parent_in_another_trace_joins_it() -> None:
    """A span whose parent's id is known in another trace alone belongs below that."""
    made = Made()
    sender = made.span("send", 0, 1, kind="producer")
    handler = made.span("process", 3, 4, "b", "consumer", trace=2, parent_id=sender.span_id)
    story = made.story()

    assert [joint.by for joint in story.joints] == ["first", "parent"]
    assert story.parents[key(handler)].key == key(sender)
    assert story.gaps == ()


def test_a_trace_that_nothing_joins_is_said_to_be_unknown() -> None:
    """A trace of the answer without link, parent or id is shown, and not explained away."""
    made = Made()
    made.span("work", 0, 5)
    stray = made.span("stray", 6, 7, trace=2)
    made.spans[-1] = replace(stray, attributes={})

    assert [joint.by for joint in made.story().joints] == ["first", "unknown"]


def test_a_missing_parent_is_a_gap_once() -> None:
    """Two children of one absent span are one gap, and roots."""
    made = Made()
    made.span("a", 0, 1, parent_id="e" * 16)
    made.span("b", 2, 3, parent_id="e" * 16)
    story = made.story()

    [gap] = story.gaps
    assert gap.kind == "missing_parent"
    assert "the span above 'a' in orders is missing" in gap.sentence
    assert len(story.roots) == 2


def test_parents_in_a_circle_are_cut_at_the_earliest() -> None:
    """Spans that are each other's parents become a tree, and it is said."""
    made = Made()
    first = made.span("first", 0, 9, parent_id=f"{3:016x}")
    made.span("second", 1, 8, under=first)
    made.span("third", 2, 7, parent_id=f"{2:016x}")
    made.span("self", 3, 4, parent_id=f"{4:016x}")
    story = made.story()

    assert [story.spans[root].name for root in story.roots] == ["first", "self"]
    assert [gap.kind for gap in story.gaps] == ["cycle", "cycle"]


def test_a_message_without_context_is_named_with_its_sender() -> None:
    """The last unanswered message to that queue must have been the one."""
    made = Made()
    root = made.span("work", 0, 9)
    said = {"messaging__destination__name": "inventory.commands"}
    made.span("send", 1, 2, "orders", "producer", under=root, **said)
    sent = made.span("send", 3, 4, "orders", "producer", under=root, **said)
    made.span("other", 4, 5, "orders", "producer", under=root, messaging__destination__name="x")
    lost = made.span(
        "process", 8, 12, "inventory", "consumer", trace=2, otel_kit__propagation="missing", **said
    )
    [gap] = made.story().gaps

    assert gap.kind == "lost_context"
    assert (
        gap.sentence == "a hop from orders to inventory through inventory.commands lost its context"
    )
    assert (gap.span, gap.sender) == (key(lost), key(sent))


def test_a_call_without_context_is_named_only_within_the_call() -> None:
    """A request that nobody of the saga can have made came from outside: that is no gap."""
    made = Made()
    made.span("GET", 0, 5, "web", "client", service__peer__name="orders")
    made.span("GET", 2, 3, "orders", "server", trace=2, otel_kit__propagation="missing")
    made.span("GET", 8, 9, "orders", "server", trace=3, otel_kit__propagation="missing")
    gaps = made.story().gaps

    assert [gap.sentence for gap in gaps] == ["a hop from web to orders lost its context"]


def test_skew_is_measured_and_corrected_on_demand() -> None:
    """A service 50 ms behind is found by its early spans and by what it caused."""
    made = Made()
    root = made.span("POST", 0, 30, "web", "server")
    server = made.call(5, 25, ("web", "orders"), (-40, -30), root)
    made.message("q", -35, 12, 20, ("orders", "billing"), server)
    plain, corrected = made.story(), made.story(correct_skew=True)

    assert [(skew.service, skew.against, skew.seconds) for skew in plain.skews] == [
        ("orders", "web", 0.045)
    ]
    assert plain.spans[key(server)].started_ns == server.started_ns
    assert ms(corrected.spans[key(server)].started_ns) == 5
    assert corrected.skews == plain.skews
    assert ms(corrected.started_ns) == 0
    for child, parent in corrected.parents.items():
        assert corrected.spans[child].started_ns >= corrected.spans[parent.key].started_ns


def test_the_same_span_delivered_twice_is_one() -> None:
    """Another one of the same id is a gap."""
    made = Made()
    first = made.span("work", 0, 5)
    made.spans.append(first)
    assert made.story().gaps == ()

    made.spans.append(replace(first, name="other"))
    story = made.story()
    assert len(story.spans) == 1
    assert [gap.kind for gap in story.gaps] == ["duplicate"]


def test_an_empty_saga_is_a_story_without_spans() -> None:
    """Logs alone give it its bounds; without any, its own start does."""
    made = Made()
    assert made.story().duration_ns == 0
    made.started("reserve", 5, "inventory")
    story = made.story()

    assert (ms(story.started_ns), ms(story.ended_ns), len(story.spans)) == (5, 5, 0)


def test_a_span_that_ends_before_it_starts_lasts_no_time() -> None:
    """Its start counts."""
    made = Made()
    made.span("work", 5, 1)
    story = made.story()

    assert (ms(story.started_ns), story.duration_ns) == (5, 0)
