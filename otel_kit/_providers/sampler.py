"""Which traces are kept, so that all services agree, and all traces begun within one saga.

The ratio samplers take their randomness R (56 bits) from a hash of ``saga.id`` in the baggage, else
from the trace id, and keep a trace if R is at least the threshold T = (1 - ratio) * 2^56.  Both
travel in tracestate as ``ot=th:<T, hex, no trailing zeros>;rv:<R, 14 hex digits>``: OpenTelemetry's
"TraceState: Probability Sampling".  An ``rv`` that came with the request is kept and used.  The
parent-based samplers follow the parent and leave its tracestate alone.

A trace that began before its saga had an id (the request in which `saga()` is first called) was
decided by its trace id, and is not decided again: who continues it follows its flag.  Nothing but
the id is sure to reach the saga's other traces, so they cannot follow that first one.

The SDK does not hand the parent's tracestate to a sampler, so ours reads it from the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from opentelemetry.baggage import get_baggage
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from otel_kit import names
from otel_kit.hops import is_own

_BITS: Final = 56
_DIGITS: Final = 14
_HEX: Final = frozenset("0123456789abcdef")
_MEMBER: Final = "ot"
_MAX_VALUE: Final = 256
"""Characters of a member's value (W3C Trace Context 3.3.1.3.2)."""
_MAX_MEMBERS: Final = 32
"""Members of a tracestate (W3C Trace Context 3.3.1.1)."""


class SagaSampler(Sampler):
    """The six standard samplers; see the module.

    `name` is one of `otel_kit.settings.SAMPLERS`, `ratio` is from 0 to 1.  With `record_unsampled`
    a span of a service boundary is recorded, though not exported, when its trace is not kept:
    metrics are derived from the spans of other instrumentations.  The kit's own hops need none of
    that.
    """

    def __init__(self, name: str, ratio: float = 1.0, *, record_unsampled: bool = False) -> None:
        self.record_unsampled = record_unsampled
        self._name, self._ratio = name, ratio
        self._root = name.removeprefix("parentbased_")
        self._follows_parent = name != self._root
        self._threshold = round((1 - ratio) * 2**_BITS)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide on a new span."""
        parent = get_current_span(parent_context).get_span_context()
        state = parent.trace_state if parent.is_valid else TraceState()
        if self._follows_parent and parent.is_valid:
            kept = parent.trace_flags.sampled
        elif self._root == "traceidratio":
            kept, state = self._by_ratio(parent_context, trace_id, state)
        else:
            kept = self._root == "always_on"
        decision = Decision.RECORD_AND_SAMPLE if kept else self._unkept(kind, parent_context)
        return SamplingResult(
            decision, attributes if decision is not Decision.DROP else None, state
        )

    def _unkept(self, kind: SpanKind | None, context: Context | None) -> Decision:
        boundary = kind not in (None, SpanKind.INTERNAL)
        if self.record_unsampled and boundary and not is_own(context):
            return Decision.RECORD_ONLY
        return Decision.DROP

    def _by_ratio(
        self, context: Context | None, trace_id: int, state: TraceState
    ) -> tuple[bool, TraceState]:
        fields = _fields(state) if state else {}
        said = _randomness(fields.get("rv")) if "rv" in fields else _saga_randomness(context)
        randomness = trace_id & (2**_BITS - 1) if said is None else said
        kept = randomness >= self._threshold
        for name in ("th", "rv"):
            fields.pop(name, None)
        ours = {}
        if kept:
            ours["th"] = f"{self._threshold:0{_DIGITS}x}".rstrip("0") or "0"
        if said is not None:
            ours["rv"] = f"{said:0{_DIGITS}x}"
        return kept, _with_fields(state, ours | fields) if state or ours else state

    def get_description(self) -> str:
        """The name and the ratio."""
        return f"SagaSampler{{{self._name},{self._ratio:g}}}"


def _saga_randomness(context: Context | None) -> int | None:
    saga_id = get_baggage(names.SAGA_ID, context)
    if not isinstance(saga_id, str) or not saga_id:
        return None
    return int.from_bytes(sha256(saga_id.encode("utf-8", "replace")).digest()[: _BITS // 8], "big")


def _randomness(digits: str | None) -> int | None:
    if digits is None or len(digits) != _DIGITS or not set(digits) <= _HEX:
        return None
    return int(digits, 16)


def _fields(state: TraceState) -> dict[str, str]:
    """The sub-keys of our member of tracestate; what is malformed is left out."""
    pairs = (field.partition(":") for field in state.get(_MEMBER, "").split(";"))
    return {key: value for key, colon, value in pairs if key and colon}


def _with_fields(state: TraceState, fields: dict[str, str]) -> TraceState:
    """A tracestate with these sub-keys leftmost; the others' members stay, the last gives way."""
    others = [(key, value) for key, value in state.items() if key != _MEMBER]
    if not fields:
        return TraceState(others)
    joined = [f"{key}:{value}" for key, value in fields.items()]
    while len(";".join(joined)) > _MAX_VALUE:
        joined.pop()
    return TraceState([(_MEMBER, ";".join(joined)), *others[: _MAX_MEMBERS - 1]])
