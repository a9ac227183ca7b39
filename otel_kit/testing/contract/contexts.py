"""Wire contexts that the scenarios send, and the one they are in."""

from collections.abc import Iterator

from opentelemetry import trace

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0xB7AD6B7169203331
SAMPLED = {"traceparent": f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-01"}
UNSAMPLED = {"traceparent": f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-00"}


def from_kit(caller: str, *, span_id: int = SPAN_ID, sent_ns: int | None = None) -> dict[str, str]:
    """Headers as another service with the kit sends them; `span_id` is what our member says."""
    member = f"otelkit=c:{caller};p:{span_id:016x}"
    if sent_ns is not None:
        member += f";t:{sent_ns:x}"
    return {**SAMPLED, "tracestate": f"{member},vendor=kept"}


def numbered() -> Iterator[dict[str, str]]:
    """Contexts of fifty traces."""
    for number in range(1, 51):
        yield {"traceparent": f"00-{number:032x}-{SPAN_ID:016x}-01"}


def current_span_id() -> int:
    """The id of the span that this is called in."""
    return trace.get_current_span().get_span_context().span_id
