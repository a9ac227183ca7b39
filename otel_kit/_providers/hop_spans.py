"""Spans of hops: the SDK's in all they can do, in a third of its time.

The SDK gives each span locks, lists and a checked copy of its attributes, and hands a copy of the
whole to the exporter.  A `HopSpan` is one of its spans too (every method is inherited), but makes
what few hops need (events, links, locks) when it is asked for, takes plain attributes as they are,
and hands over itself, which nothing changes after its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import time_ns
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import (
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    Tracer,
    TracerProvider,
    _Span,
)
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    get_current_span,
)
from opentelemetry.trace import Span as ApiSpan

from otel_kit import names
from otel_kit._providers.attached import Watcher
from otel_kit.hops.runtime import StartSpan

_PLAIN: Final = frozenset({str, int, float, bool})
"""Types of attributes that the SDK keeps as they are.  A subclass may change: it is looked at."""
_ATTRIBUTES: Final = 100
"""More of them, or a lower limit, is for the SDK to bound."""
_OWN: Final = frozenset(
    {
        *("_name", "_context", "_parent", "_kind", "_resource", "_start_time", "_end_time"),
        *("_attributes", "_events", "_links", "_lock", "_status", "_span_processor", "_limits"),
    }
)
"""What an SDK span is known to keep; a future one without these makes its spans itself."""
_FLAGS: Final = tuple(map(TraceFlags, range(256)))
_SAMPLED: Final = TraceFlags.SAMPLED
_RANDOM: Final = TraceFlags.RANDOM_TRACE_ID


Use = Callable[[StartSpan | None], object]


def _bounded(span: HopSpan) -> BoundedAttributes:
    limits = span._limits
    made = BoundedAttributes(
        limits.max_span_attributes, None, False, limits.max_span_attribute_length
    )
    made._dict = span._plain
    return made


_LATER: Final[dict[str, Callable[[Any], object]]] = {
    "_attributes": _bounded,
    "_events": lambda span: span._new_events(),
    "_links": lambda span: span._new_links(()),
    "_lock": lambda span: Lock(),
}


class HopSpan(_Span):
    """A span of a hop.  What all of a tracer's have in common stands in a subclass of it."""

    _plain: dict[str, Any]
    _processors: tuple[SpanProcessor, ...]

    def __getattr__(self, name: str) -> Any:
        """Make what is asked for the first time; of two threads both get the same."""
        make = _LATER.get(name)
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.__dict__.setdefault(name, make(self))

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """As the SDK's."""
        few = len(self._plain) + len(attributes) <= _ATTRIBUTES
        asked_for = "_attributes" in self.__dict__
        if few and _plain(attributes) and self._end_time is None and not asked_for:
            self._plain.update(attributes)
        else:
            super().set_attributes(attributes)

    def update_name(self, name: str) -> None:
        """As the SDK's."""
        if self._end_time is None:
            self._name = name
        else:
            super().update_name(name)

    def end(self, end_time: int | None = None) -> None:
        """As the SDK's."""
        made = self.__dict__
        end_time = end_time if end_time is not None else time_ns()
        if made.setdefault("_end_time", end_time) is not end_time:
            super().end(end_time)  # says that it has ended
            return
        if made.setdefault("_attributes", self._plain) is not self._plain:
            self._attributes._immutable = True  # type: ignore[union-attr]
        made.setdefault("_events", ())
        made.setdefault("_links", ())
        for processor in self._processors:
            processor._on_ending(self)
        for processor in self._processors:
            processor.on_end(self)


class HopSpans:
    """Starts the spans of one of the SDK's tracers."""

    def __init__(self, tracer: Tracer) -> None:
        """Raises AttributeError or TypeError for a tracer that makes other spans than are known."""
        self._tracer = tracer
        self._processor = _synchronous(tracer.span_processor)
        self._class = _class_of(tracer)
        self._processors: tuple[SpanProcessor, ...] = ()
        self._all: object = None

    def start(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        links: Sequence[Link] | None,
    ) -> ApiSpan:
        """As a tracer's `start_span`."""
        if len(attributes) > _ATTRIBUTES or not _plain(attributes):
            return self._tracer.start_span(name, context, kind, attributes, links)
        parent = get_current_span(context).get_span_context()
        said = parent if parent.is_valid else None
        ids, sampler = self._tracer.id_generator, self._tracer.sampler
        trace_id = said.trace_id if said else ids.generate_trace_id()
        found = sampler.should_sample(context, trace_id, name, kind, attributes, links)
        span_context = self._span_context(trace_id, said, found)
        if found.decision is Decision.DROP:
            return NonRecordingSpan(span_context)
        span = object.__new__(self._class)
        span._name, span._kind = name, kind
        span._context, span._parent = span_context, said
        span._resource = self._tracer.resource  # another one after a fork
        span._plain = dict(found.attributes or ())
        if links:
            span._links = span._new_links(links)
        span._processors = self._interested()
        span._start_time = time_ns()
        for processor in span._processors:
            processor.on_start(span, parent_context=context)
        return span

    def _span_context(
        self, trace_id: int, parent: SpanContext | None, found: SamplingResult
    ) -> SpanContext:
        ids = self._tracer.id_generator
        random = ids.is_trace_id_random() if parent is None else parent.trace_flags & _RANDOM
        flags = _RANDOM if random else 0
        if found.decision is Decision.RECORD_AND_SAMPLE:
            flags |= _SAMPLED
        span_id = ids.generate_span_id()
        return SpanContext(trace_id, span_id, False, _FLAGS[flags], found.trace_state)

    def _interested(self) -> tuple[SpanProcessor, ...]:
        """The processors, but the kit's watchers of what others make."""
        if self._all is not (found := self._processor._span_processors):
            self._processors = tuple(each for each in found if type(each) is not Watcher)
            self._all = found
        return self._processors


class HopTracerProvider(TracerProvider):
    """Starts the spans of the kit's hops by itself.  Without `publish` it is the SDK's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._use: Use = lambda _: None

    def publish(self, use: Use) -> None:
        """Let the kit start its hops by ``use(start_span)``, if the SDK's spans are known.

        ``use(None)`` follows when they are to be started by the tracer.
        """
        try:
            spans = HopSpans(TracerProvider.get_tracer(self, names.SCOPE))  # type: ignore[arg-type]
        except (AttributeError, TypeError):
            return
        self._use = use
        use(spans.start)

    def unpublish(self) -> None:
        """Hops are started by the tracer from now on."""
        self._use(None)


def _plain(attributes: Mapping[str, Any]) -> bool:
    """Whether the SDK would take them as they are."""
    return _PLAIN.issuperset(map(type, attributes.values())) and "" not in attributes


def _synchronous(processor: object) -> SynchronousMultiSpanProcessor:
    if type(processor) is not SynchronousMultiSpanProcessor:
        raise TypeError(f"{type(processor).__name__} is not known")
    return processor


def _class_of(tracer: Tracer) -> type[HopSpan]:
    """A class with what the spans of a tracer have in common, found on one that is never started.

    Raises TypeError where the SDK would bound or count what it is not asked to here.
    """
    limits = tracer._span_limits
    fewest = limits.max_span_attributes
    if limits.max_span_attribute_length is not None or (fewest or _ATTRIBUTES) < _ATTRIBUTES:
        raise TypeError("attributes have limits")
    if type(tracer._tracer_metrics).__name__ != "NoOpTracerMetrics" or not tracer._is_enabled():
        raise TypeError("the SDK measures its own spans, or makes none")
    blank = _Span(
        "",
        INVALID_SPAN_CONTEXT,
        sampler=tracer.sampler,
        resource=tracer.resource,
        span_processor=tracer.span_processor,
        instrumentation_info=tracer.instrumentation_info,
        limits=limits,
        instrumentation_scope=tracer._instrumentation_scope,
    )
    common = vars(blank)
    if not common.keys() >= _OWN:
        raise TypeError("the SDK's spans are not as they are known")
    kept = {name: value for name, value in common.items() if name not in _LATER}
    return type("HopSpan", (HopSpan,), {**kept, "__module__": __name__})
