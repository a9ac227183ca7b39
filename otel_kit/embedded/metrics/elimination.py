"""Who it was that called or sent without saying so; pure.

A hop that lost its context has no client.  Those who call and send count for themselves, though:
whoever sent more to a service, or to its topic, than the service counted as theirs is missing the
rest.  Calls that nobody answered by name stand under an address, and may have gone to any service;
there the numbers have to agree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from otel_kit import names
from otel_kit.embedded.metrics import values
from otel_kit.embedded.metrics.series import Series, SeriesKey

_SENDING: Final = frozenset({"client", "producer"})
_DID_NOT_ARRIVE: Final = frozenset(
    {"timeout", "connection", "dns", "tls", "breaker_open", "cancelled"}
)
"""Error classes of hops that may never have reached the other side."""
_AGREE: Final = 2.0
"""Counts that are this many times apart still agree: two services export at different moments."""
_ADDRESSES: Final = 200
"""So many are looked at, which bounds the work."""


@dataclass(slots=True)
class Hops:
    """What senders say they sent, and what receivers say of clients they do not know."""

    sent: dict[tuple[str, str], Counter[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    """(transport, server or topic or address) → (client, verb) → hops that left."""
    servers: set[str] = field(default_factory=set)
    """Services that report what they receive."""
    verbs: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """(server, transport) → what clients that it does not know asked for."""

    @classmethod
    def of(cls, items: Iterable[tuple[SeriesKey, Series]]) -> "Hops":
        """From all series of `otel_kit.hop.duration`."""
        hops = cls()
        for key, state in items:
            if key.name == names.HOP_DURATION:
                hops._add(dict(key.attributes), _count(state.value))
        return hops

    def _add(self, labels: dict[str, str], count: int) -> None:
        client, server = labels.get(names.CLIENT, ""), labels.get(names.SERVER, "")
        transport, operation = labels.get(names.TRANSPORT, ""), labels.get(names.OPERATION, "")
        verb, _, rest = operation.partition(" ")
        side = labels.get(names.SIDE, "")
        if side not in _SENDING:
            self.servers.add(server)
            if client == names.UNKNOWN:
                self.verbs[server, transport].add(verb)
        elif labels.get(names.ERROR_CLASS, "") not in _DID_NOT_ARRIVE:
            target = rest if side == "producer" else server
            self.sent[transport, target][client, verb] += count

    def suspects(
        self, server: str, transport: str, topic: str, lost: int, known: Counter[str]
    ) -> list[str]:
        """Clients that may have sent the `lost` hops; `known` has what each is known to have sent.

        One is likely, several are not told apart, none is not instrumented.
        """
        if topic:
            return _missing(self._by_client(transport, topic, {"send"}), known, lost)
        verbs = self.verbs[server, transport]
        found = set(_missing(self._by_client(transport, server, verbs), known, lost))
        for target in self._addresses(transport):
            calls = self._by_client(transport, target, verbs)
            found |= {c for c, n in calls.items() if lost / _AGREE <= n <= lost * _AGREE}
        return sorted(found)

    def _addresses(self, transport: str) -> Iterable[str]:
        """Where calls went that nobody answered by name."""
        found = (target for where, target in self.sent if where == transport)
        return islice((target for target in found if target not in self.servers), _ADDRESSES)

    def _by_client(self, transport: str, target: str, verbs: set[str]) -> Counter[str]:
        calls: Counter[str] = Counter()
        for (client, verb), count in self.sent.get((transport, target), Counter()).items():
            if verb in verbs:
                calls[client] += count
        return calls


def _missing(sent: Counter[str], known: Counter[str], lost: int) -> list[str]:
    return sorted(c for c, count in sent.items() if count - known[c] >= max(1, lost / _AGREE))


def _count(value: values.Value) -> int:
    return 0 if isinstance(value, values.Number) else value.count
