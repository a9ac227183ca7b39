"""Circuit breakers: what state they are in, for how long, what changed it, whom they refused.

States are taken when a breaker changes, and read whenever metrics are collected: time in a state is
exact whatever the interval, so that an opening shorter than a scrape still counts.
"""

from collections.abc import Callable, MutableSequence
from enum import Enum
from typing import Final, Literal, NamedTuple

from otel_kit import names
from otel_kit._identity import IdentityMap, weakly
from otel_kit._locks import ForkSafeLock
from otel_kit.gauges import _breaker_metrics as metrics
from otel_kit.hops import Runtime, configured, replaying

State = Literal["closed", "open", "half_open"]
_WORDS: Final[dict[str, State]] = {
    "closed": "closed",
    "open": "open",
    "opened": "open",
    "half_open": "half_open",
    "half_opened": "half_open",
    "halfopen": "half_open",
}


class Reading(NamedTuple):
    """A state, and since when: one that a library only computes when asked began earlier."""

    state: object
    seconds: float = 0.0
    """How long ago the state was entered; 0 where that is not known."""


Read = Callable[[object], object]
"""From a breaker to its state: a word, an enum member, an object with such a name, a `Reading`."""


class Breaker:
    """A watched breaker, whoever's it is.  Nothing here changes it.

    `watch_breaker` makes it.  Use its methods for what the kit cannot see by itself.
    """

    def __init__(self, name: str, server: str, owner: Callable[[], object], read: Read | None):
        self.name = name
        self.server = server
        self._owner = owner
        self._read = read
        self._lock = ForkSafeLock()
        first = self._reading()
        self.state: State = "closed" if first is None else state_of(first.state)

    def entered(self, state: object, seconds: float = 0.0) -> None:
        """The breaker is in `state` now, since `seconds`.

        Raises ValueError for a word that is none of closed, open, half_open.
        """
        new = state_of(state)
        with self._lock:
            old, self.state = self.state, new
        if new != old and (export := _export()) is not None:
            export.moved(self, old, new, seconds)

    def rejected(self) -> None:
        """It refused a call, which was not made: an error `breaker_open` on the edge."""
        if not replaying() and (export := _export()) is not None:
            export.rejected(self)

    def refresh(self) -> None:
        """Read the state from the breaker, if it tells."""
        if (reading := self._reading()) is not None:
            self.entered(*reading)

    def _reading(self) -> Reading | None:
        owner = self._owner()
        if self._read is None or owner is None:
            return None
        found = self._read(owner)
        return found if isinstance(found, Reading) else Reading(found)

    @property
    def alive(self) -> bool:
        return self._owner() is not None


def state_of(value: object) -> State:
    """The state that a word, an enum member or a state object stands for.

    Raises ValueError if it stands for none.
    """
    said = [value, getattr(value, "name", None), getattr(value, "state", None)]
    if isinstance(value, Enum):
        said.append(value.value)
    for word in said:
        if isinstance(word, str) and (found := _WORDS.get(word.lower().replace("-", "_"))):
            return found
    raise ValueError(f"{value!r} is no state of a breaker: closed, open or half_open")


# -- the watched ----------------------------------------------------------------------------------

_watched: IdentityMap[Breaker] = IdentityMap()
_named: dict[str, Breaker] = {}
_current_export: "metrics.Export | None" = None


def watch_breaker(
    breaker: object, *, server: str | None = None, state: Callable[[], object] | None = None
) -> Breaker:
    """Watch a circuit breaker of your own, or say which server another library's one guards.

    `breaker` is an object with `name` and `state` (a word, an enum member, an object so named, or a
    method), watched as long as it lives; or just a name, kept until the process ends.  `state` is
    asked instead, if given.  Either is asked by the thread that collects metrics, so it must be
    quick and safe there.  Functions in a list `listeners` of the object are expected to be called
    with the state before and after a change, in this order, and ours is put among them.

    Returns what the application may tell more to: `entered(state)` and `rejected()`.  Raises
    TypeError for an object that has no state, ValueError for a state that is none of closed, open,
    half_open.
    """
    if isinstance(breaker, str):
        return _watch_name(breaker, server, state)
    if (known := _watched.get(breaker)) is None:
        read = (lambda _: state()) if state is not None else _reader(breaker)
        known = watch(breaker, name_of(breaker), read, server=server)
        listeners = getattr(breaker, "listeners", None)
        if isinstance(listeners, MutableSequence):
            listeners.append(_listener(known))
    elif server is not None:
        _rename(known, server)
    return known


def watch(owner: object, name: str, read: Read, *, server: str | None = None) -> Breaker:
    """Watch `owner`, once; for integrations, whose `read` must not hold on to it."""
    if (known := _watched.get(owner)) is None:
        known = Breaker(name, server or name, weakly(owner), read)
        _watched.set(owner, known)
        _adopt(known)
    return known


def watched(owner: object) -> Breaker | None:
    """The watched breaker that this object is."""
    return _watched.get(owner)


def name_of(breaker: object) -> str:
    """The name of a breaker; `unknown` for one that has none."""
    return str(getattr(breaker, "name", None) or names.UNKNOWN)


def report(runtime: Runtime) -> Callable[[], None]:
    """Report all breakers to `runtime`; the returned function goes back to whom it was before."""
    global _current_export
    before = _current_export
    _current_export = metrics.Export(runtime)
    for breaker in (*_watched.values(), *_named.values()):
        _current_export.adopt(breaker)

    def stop() -> None:
        global _current_export
        _current_export = before

    return stop


def _watch_name(name: str, server: str | None, state: Callable[[], object] | None) -> Breaker:
    known = _named.get(name)
    if known is None or state is not None:
        read: Read | None = None if state is None else lambda _: state()
        known = _named[name] = Breaker(name, server or name, lambda: name, read)
        _adopt(known)
    elif server is not None:
        _rename(known, server)
    return known


def _reader(breaker: object) -> Read:
    for attribute in ("state", "current_state"):
        if hasattr(type(breaker), attribute) or attribute in getattr(breaker, "__dict__", {}):
            return lambda owner: _value(getattr(owner, attribute))
    raise TypeError(f"{breaker!r} has no state: give one by watch_breaker(..., state=callable)")


def _value(state: object) -> object:
    return state() if callable(state) and not isinstance(state, type) else state


def _listener(breaker: Breaker) -> Callable[..., None]:
    def heard(*said: object) -> None:
        breaker.entered(said[-1]) if said else breaker.refresh()

    return heard


def _rename(breaker: Breaker, server: str) -> None:
    breaker.server = server
    _adopt(breaker)


def _adopt(breaker: Breaker) -> None:
    if (export := _export()) is not None:
        export.adopt(breaker)


def _export() -> "metrics.Export | None":
    return _current_export if configured() is not None else None
