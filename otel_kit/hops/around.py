"""Which hop the code at hand runs in."""

from opentelemetry.context import Context, get_value
from opentelemetry.trace import SpanKind

from otel_kit.hops.account import INBOUND
from otel_kit.hops.active import ActiveHop
from otel_kit.hops.keys import HOP
from otel_kit.hops.nesting import under_way


def is_own(context: Context | None = None) -> bool:
    """Whether the span that is being started in `context` is one of the kit's own hops."""
    innermost = get_value(HOP, context)
    return isinstance(innermost, ActiveHop) and innermost.starting


def handling() -> ActiveHop | None:
    """The hop of the message that is being handled here."""
    return _innermost((SpanKind.CONSUMER, SpanKind.INTERNAL))


def serving() -> ActiveHop | None:
    """The hop of the request that is being answered here."""
    hop = _innermost((*INBOUND, SpanKind.INTERNAL))
    return hop if hop is not None and hop.kind is SpanKind.SERVER and not hop.ended else None


def _innermost(kinds: tuple[SpanKind, ...]) -> ActiveHop | None:
    hops = (hop for hop in under_way() if isinstance(hop, ActiveHop))
    return next((hop for hop in hops if hop.kind in kinds), None)


def sending() -> bool:
    """Whether this is within the send of a message: what a library does below it is the same."""
    innermost = next((hop for hop in under_way() if isinstance(hop, ActiveHop)), None)
    return innermost is not None and innermost.kind is SpanKind.PRODUCER
