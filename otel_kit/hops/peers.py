"""Who is at the other side: names for addresses, learned or told, and never too many of them."""

from collections.abc import Mapping
from threading import RLock

from otel_kit._locks import ForkSafeLock
from otel_kit.names import OVERFLOW, UNKNOWN

_AMBIGUOUS = object()
_LENGTH = 256


class Bounded:
    """Lets the first `limit` distinct label values through; all others become `_OTHER`.

    `unknown` and the empty text take no place among them.  Values are cut at 256 characters.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = frozenset({UNKNOWN, OVERFLOW, ""})
        self._known: set[str] = set(self._free)
        self._lock = ForkSafeLock(RLock)  # a signal handler may make hops too

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        value = value[:_LENGTH]
        with self._lock:
            if value not in self._known and len(self._known) >= self._limit + len(self._free):
                return OVERFLOW
            self._known.add(value)
        return value


class Peers:
    """Service names of the other sides: at most `limit` distinct clients, and as many servers.

    Clients name themselves in headers that anybody can write, so they have a limit of their own: a
    flood of made-up callers does not hide the services that this one calls.

    An address is named, in this order, by the reply of the service behind it (`Server-Timing`), by
    `OTEL_KIT_PEERS`, by what that address last answered in this process, or else by a default:
    itself, or for a broker its system.  A gateway that answered with several names is not guessed.
    """

    def __init__(self, told: Mapping[str, str], limit: int) -> None:
        self.client = Bounded(limit)
        self.server = Bounded(limit)
        self._told = told
        self._limit = limit
        self._learned: dict[str, object] = {}

    def name_of(self, address: str, default: str) -> str:
        """The service at `address` (`host` or `host:port`), as far as known before it answers."""
        return self.server(self.known_as(address) or default)

    def known_as(self, address: str) -> str | None:
        """What `address` was told or learned to be, not counted among the servers."""
        told = self._told.get(address) or self._told.get(address.rpartition(":")[0])
        learned = self._learned.get(address)
        return told or (learned if isinstance(learned, str) else None)

    def answers(self, address: str) -> bool:
        """Whether a service behind `address` has said who it is."""
        return address in self._learned

    def learn(self, address: str, service: str) -> None:
        """Remember that `address` answered as `service`, a bounded name."""
        known = self._learned.get(address)
        if known == service or known is _AMBIGUOUS:
            return
        if known is not None:
            self._learned[address] = _AMBIGUOUS
        elif len(self._learned) < self._limit:
            self._learned[address] = service
