"""A hop's span beside one of the SDK's own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    Span,
    SpanLimits,
    SpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as ApiSpan

from otel_kit import names
from otel_kit._providers import hop_spans
from otel_kit._providers.attached import Watcher
from otel_kit._providers.hop_spans import HopSpan, HopTracerProvider, StartSpan

Change = Callable[[Any], object]


class Seen(SpanProcessor):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Told."""
        self.told.append("start")

    def _on_ending(self, span: Span) -> None:
        self.told.append("ending")

    def on_end(self, span: ReadableSpan) -> None:
        """Told."""
        self.told.append("end")
        self.ended.append(span)


class RecordOnly(Sampler):
    """Records what is not kept."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        """Always the same."""
        return SamplingResult(Decision.RECORD_ONLY, {"sampler": True}, TraceState([("a", "b")]))

    def get_description(self) -> str:
        """Its name."""
        return "RecordOnly"


@pytest.fixture
def seen() -> Seen:
    """What a processor is told."""
    return Seen()


@pytest.fixture
def provider(seen: Seen) -> Iterator[HopTracerProvider]:
    """A provider with that processor."""
    made = HopTracerProvider(ALWAYS_ON, Resource({"service.name": "orders"}))
    made.add_span_processor(seen)
    yield made
    made.shutdown()


def starting(provider: HopTracerProvider) -> StartSpan:
    """How the kit starts spans there."""
    found: list[StartSpan | None] = []
    provider.publish(found.append)
    start = found[-1]
    assert start is not None
    return start


def started(provider: HopTracerProvider, **given: Any) -> Any:
    """A hop's span."""
    given = {"context": Context(), "attributes": {"first": 1}, "links": None} | given
    return starting(provider)("work", kind=SpanKind.SERVER, **given)


def told(span: ReadableSpan) -> dict[str, Any]:
    """All that a span tells, but its ids and times."""
    said: dict[str, Any] = json.loads(span.to_json())
    for event in said["events"]:
        event["attributes"].pop("exception.stacktrace", None)
    different = ("context", "start_time", "end_time")
    return {key: value for key, value in said.items() if key not in different}


CHANGES: dict[str, Change] = {
    "nothing": lambda span: None,
    "an attribute": lambda span: span.set_attribute("more", 2.5),
    "plain attributes": lambda span: span.set_attributes({"more": "text", "first": 2}),
    "a list": lambda span: span.set_attributes({"more": [1, 2]}),
    "what is no attribute": lambda span: span.set_attributes({"more": object, "": 1}),
    "attributes one by one and at once": lambda span: (
        span.set_attribute("more", 1),
        span.set_attributes({"first": 3}),
    ),
    "more attributes than there may be": lambda span: span.set_attributes(
        {f"key {number}": number for number in range(200)}
    ),
    "an event": lambda span: span.add_event("found", {"where": "here"}, timestamp=5),
    "a link": lambda span: span.add_link(CONTEXT, {"why": "batch"}),
    "an exception": lambda span: span.record_exception(ValueError("no"), timestamp=5),
    "a status": lambda span: span.set_status(Status(StatusCode.ERROR, "no")),
    "a name": lambda span: span.update_name("other work"),
}
CONTEXT = SpanContext(5, 6, True, TraceFlags(1), TraceState([("vendor", "x")]))


@pytest.mark.parametrize("change", CHANGES)
def test_it_tells_what_a_span_of_the_sdk_tells(
    provider: HopTracerProvider, seen: Seen, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is done to it, before its end and (in vain) after it."""
    caplog.set_level(logging.CRITICAL)
    theirs = provider.get_tracer(names.SCOPE, "").start_span(
        "work", Context(), SpanKind.SERVER, {"first": 1}
    )
    spans: list[Any] = [started(provider), theirs]
    assert [type(span).__name__ for span in spans] == ["HopSpan", "_Span"]
    assert all(isinstance(span, Span) and span.is_recording() for span in spans)

    for span in spans:
        CHANGES[change](span)
        during = dict(span.attributes)
        span.end()
        CHANGES["an attribute"](span)
        CHANGES["plain attributes"](span)
        CHANGES["an event"](span)
        CHANGES["a link"](span)
        span.update_name("too late")
        span.end()
        assert not span.is_recording()
        assert during == dict(span.attributes)

    ours, official = seen.ended
    assert isinstance(ours, HopSpan)
    assert told(ours) == told(official)
    assert ours.dropped_attributes == official.dropped_attributes
    assert seen.told == ["start", "start", "ending", "end", "ending", "end"]


@pytest.mark.parametrize(
    "sampler", [ALWAYS_ON, ALWAYS_OFF, RecordOnly()], ids=["on", "off", "record"]
)
@pytest.mark.parametrize("parent", [0, 1, 2, 3])
def test_its_context_is_the_one_that_the_sdk_makes(sampler: Sampler, parent: int) -> None:
    """Flags, tracestate, parent and trace, for a root (0) and below parents of any flags."""
    provider = HopTracerProvider(sampler)
    context = Context()
    if parent:
        remote = SpanContext(5, 6, True, TraceFlags(parent), TraceState([("vendor", "x")]))
        context = set_span_in_context(NonRecordingSpan(remote), context)
    spans: list[ApiSpan] = [
        started(provider, context=context),
        provider.get_tracer("any").start_span("work", context, attributes={"first": 1}),
    ]

    contexts = [span.get_span_context() for span in spans]
    assert contexts[0].trace_flags == contexts[1].trace_flags
    assert dict(contexts[0].trace_state) == dict(contexts[1].trace_state)
    assert all(each.is_valid and not each.is_remote for each in contexts)
    assert len({each.span_id for each in contexts}) == 2
    assert (contexts[0].trace_id == contexts[1].trace_id) is bool(parent)
    assert [getattr(span, "parent", None) for span in spans] == [
        getattr(spans[1], "parent", None)
    ] * 2
    assert [dict(getattr(span, "attributes", {})) for span in spans] == [
        dict(getattr(spans[1], "attributes", {}))
    ] * 2


def test_it_begins_with_its_links(provider: HopTracerProvider, seen: Seen) -> None:
    """Those that are valid, as the SDK's."""
    links = [Link(CONTEXT, {"why": "batch"}), Link(SpanContext(0, 0, False))]
    started(provider, links=links).end()

    assert [link.context for link in seen.ended[0].links] == [CONTEXT]


def test_attributes_that_are_not_plain_are_for_the_sdk(
    provider: HopTracerProvider, seen: Seen
) -> None:
    """A description of somebody's own may hold anything."""
    started(provider, attributes={"many": ["a", "b"]}).end()

    assert not isinstance(seen.ended[0], HopSpan)
    assert dict(seen.ended[0].attributes or {}) == {"many": ("a", "b")}


def test_threads_share_what_is_made_when_it_is_asked_for(provider: HopTracerProvider) -> None:
    """No event is lost that several add at once."""
    span = started(provider)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: span.add_event(str(number)), range(100)))

    assert len(span.events) == 100


def test_the_kits_own_watchers_are_not_told_of_hops(provider: HopTracerProvider) -> None:
    """They watch what others make; a processor that is added later is told."""
    watched: list[object] = []
    Watcher(lambda span, _: watched.append(span), watched.append).attach(provider)
    started(provider).end()
    later = Seen()
    provider.add_span_processor(later)
    started(provider).end()

    assert not watched
    assert later.told == ["start", "ending", "end"]


def test_it_has_the_resource_of_its_start(provider: HopTracerProvider, seen: Seen) -> None:
    """A forked child has another one."""
    start = starting(provider)
    provider._update_resource(Resource({"service.instance.id": "child"}))
    start("work", Context(), SpanKind.SERVER, {}, None).end()

    assert seen.ended[0].resource.attributes["service.instance.id"] == "child"


LIMITED = SpanLimits(max_span_attribute_length=10)


@pytest.mark.parametrize(
    "provider",
    [
        HopTracerProvider(shutdown_on_exit=False, span_limits=LIMITED),
        HopTracerProvider(shutdown_on_exit=False, span_limits=SpanLimits(max_span_attributes=5)),
        HopTracerProvider(
            shutdown_on_exit=False, active_span_processor=ConcurrentMultiSpanProcessor(1)
        ),
    ],
    ids=["length of attributes", "number of attributes", "processors of another kind"],
)
def test_what_the_sdk_has_to_bound_is_left_to_it(provider: HopTracerProvider) -> None:
    """Nothing is published then."""
    used: list[object] = []
    provider.publish(used.append)

    assert not used


def test_a_future_sdk_makes_its_spans_itself(
    provider: HopTracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its spans keep something under another name."""
    monkeypatch.setattr(hop_spans, "_OWN", hop_spans._OWN | {"_renamed"})
    used: list[object] = []
    provider.publish(used.append)

    assert not used


def test_the_tracer_starts_spans_again_when_the_provider_gives_way(
    provider: HopTracerProvider,
) -> None:
    """It says so to whom it was published."""
    used: list[StartSpan | None] = []
    provider.publish(used.append)
    provider.unpublish()

    assert used[0] is not None
    assert used[1] is None


def test_a_provider_that_is_not_published_is_the_sdks() -> None:
    """All its tracers make the SDK's spans."""
    assert isinstance(HopTracerProvider(), TracerProvider)
    assert not isinstance(HopTracerProvider().get_tracer("any").start_span("work"), HopSpan)
