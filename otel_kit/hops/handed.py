"""Messages that a consumer's loop handed out lately: `process()` must not count them again."""

from collections import OrderedDict
from typing import TYPE_CHECKING

from opentelemetry.context import Context, set_value
from opentelemetry.trace import NonRecordingSpan, SpanContext, get_current_span
from opentelemetry.trace.propagation import set_span_in_context

from otel_kit._locks import ForkSafeLock
from otel_kit.hops.hop import Hop
from otel_kit.hops.keys import ATTEMPT, HOP
from otel_kit.hops.latest import Latest

if TYPE_CHECKING:
    from otel_kit.hops.active import ActiveHop

_REMEMBERED = 1000


class HandedOut:
    """The hops of the latest messages that loops handed out, ended or not.

    The application may handle a message elsewhere than in the loop's body: in a task it creates,
    in a pool of threads, in batches it collects.  It says so by `process(message)`, and that is
    still the same hop.  A message is known by the very object that was handed out: one that comes
    again, or from another cluster, is another object, and another hop.
    """

    def __init__(self) -> None:
        self._latest: Latest[ActiveHop | Context] = Latest(_REMEMBERED)
        self._bridged: OrderedDict[int, None] = OrderedDict()
        self._lock = ForkSafeLock()

    def remember(self, active: "ActiveHop") -> None:
        """`active` is the hop of what a loop has just handed out."""
        self._latest.put(_delivery(active.hop), active)

    def ended(self, active: "ActiveHop", context: Context) -> None:
        """Keep no more of it than a parent for what comes later: no hop, no living span."""
        span = NonRecordingSpan(get_current_span(context).get_span_context())
        kept = set_value(ATTEMPT, None, set_value(HOP, None, context))
        self._latest.replace(_delivery(active.hop), active, set_span_in_context(span, kept))

    def find(self, hop: Hop) -> "ActiveHop | Context | None":
        """The hop that a loop made of this message; its context, if it has ended."""
        return self._latest.get(_delivery(hop))

    def bridged(self, sender: SpanContext | None) -> None:
        """Another instrumentation made the span of the message that `sender` sent."""
        if sender is not None and sender.is_remote:
            with self._lock:
                self._bridged[sender.span_id] = None
                if len(self._bridged) > _REMEMBERED:
                    self._bridged.popitem(last=False)

    def counted(self, sender: SpanContext | None) -> bool:
        """Whether the bridge has counted the message that `sender` sent."""
        return bool(self._bridged) and sender is not None and sender.span_id in self._bridged


def _delivery(hop: Hop) -> object:
    return hop if hop.delivery is None else hop.delivery
