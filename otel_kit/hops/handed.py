"""Messages that a consumer's loop handed out lately: `process()` must not count them again."""

from collections import OrderedDict
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanContext

from otel_kit import names
from otel_kit._locks import ForkSafeLock
from otel_kit.hops.hop import Hop

if TYPE_CHECKING:
    from otel_kit.hops.active import ActiveHop

_REMEMBERED = 1000
_Key = tuple[object, ...]


class HandedOut:
    """The hops of the latest messages that loops handed out, ended or not.

    The application may handle a message elsewhere than in the loop's body: in a task it creates,
    in a pool of threads, in batches it collects.  It says so by `process(message)`, and that is
    still the same hop.
    """

    def __init__(self) -> None:
        self._latest: OrderedDict[_Key, ActiveHop] = OrderedDict()
        self._bridged: OrderedDict[int, None] = OrderedDict()
        self._lock = ForkSafeLock()

    def remember(self, active: "ActiveHop") -> None:
        """A message handed out again is a new hop, and takes the place of the old one."""
        key = _key(active.hop)
        if key is None:
            return
        with self._lock:
            self._latest[key] = active
            self._latest.move_to_end(key)
            if len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)

    def find(self, hop: Hop) -> "ActiveHop | None":
        """The hop that a loop made of this message."""
        key = _key(hop) if self._latest else None
        return None if key is None else self._latest.get(key)

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


def _key(hop: Hop) -> _Key | None:
    """What tells one message from all others; None for one that has no id."""
    attributes = hop.attributes
    offset = attributes.get(names.MESSAGING_KAFKA_OFFSET)
    own = attributes.get(names.MESSAGING_MESSAGE_ID) if offset is None else offset
    if own is None or hop.parts:
        return None
    return hop.system, hop.destination, hop.group, attributes.get(names.MESSAGING_PARTITION), own
