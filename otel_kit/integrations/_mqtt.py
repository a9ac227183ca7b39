"""What MQTT says of a message: what was subscribed to, and why the broker refuses."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry.trace import SpanKind

from otel_kit.errors import ErrorClass
from otel_kit.hops import Hop
from otel_kit.hops.hop import Outcome
from otel_kit.hops.messaging import CONVENTION, TEMPLATED
from otel_kit.integrations._shape import Integration
from otel_kit.integrations._subjects import pattern, template

SYSTEM = "mqtt"
integration = Integration("paho-mqtt", supports="paho-mqtt>=1.6,<3")
_SHARED = "$share/"
_FILTERS = 1000
"""Of one client; what it subscribes to after that has templates by their looks."""


class Refusal(NamedTuple):
    """Why a message was not taken, in the library's or the broker's words."""

    name: str
    error_class: ErrorClass


def _outcome(refusal: Refusal, kind: SpanKind) -> Outcome:
    return Outcome({}, refusal.error_class, refusal.name, failed=True)


_CONVENTIONS = {each: replace(each, outcome=_outcome) for each in (CONVENTION, TEMPLATED)}
_RETURNED: Mapping[int, Refusal] = {
    4: Refusal("MQTT_ERR_NO_CONN", ErrorClass.CONNECTION),
    7: Refusal("MQTT_ERR_CONN_LOST", ErrorClass.CONNECTION),
    15: Refusal("MQTT_ERR_QUEUE_SIZE", ErrorClass.THROTTLED),
}
_REASONS: Mapping[int, ErrorClass] = {
    0x87: ErrorClass.CLIENT_ERROR,  # not authorized
    0x90: ErrorClass.CLIENT_ERROR,  # topic name invalid
    0x97: ErrorClass.THROTTLED,  # quota exceeded
    0x99: ErrorClass.SERIALIZATION,  # payload format invalid
}
_FAILED = 0x80


def refusable(hop: Hop) -> Hop:
    """The hop of a message whose status may be a refusal."""
    hop.convention = _CONVENTIONS[hop.convention]
    return hop


def returned(code: int) -> Refusal | None:
    """What a return code of the library's refuses."""
    return None if code <= 0 else _RETURNED.get(code, Refusal(str(code), ErrorClass.UNKNOWN))


def reason(code: Any) -> Refusal | None:
    """What a reason code of the broker's (MQTT 5) refuses."""
    value = getattr(code, "value", 0)
    if value < _FAILED:
        return None
    return Refusal(str(code), _REASONS.get(value, ErrorClass.SERVER_ERROR))


class Filters:
    """What each client has subscribed to."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()

    def add(self, client: Any, topics: Any) -> None:
        """`topics` as `subscribe` takes them: a name, a pair, or a list of either."""
        known = dict(self._of.get(client, {}))
        for each in topics if isinstance(topics, list) else [topics]:
            name = each[0] if isinstance(each, tuple) else each
            group, shared = "", name
            if name.startswith(_SHARED):
                group, _, shared = name.removeprefix(_SHARED).partition("/")
            if len(known) < _FILTERS:
                known[shared] = group
        self._of[client] = known  # another one: the network's thread may be reading

    def matching(self, client: Any, topic: str) -> tuple[str, str]:
        """What was subscribed to that `topic` matches best, and the group that shares it."""
        known = self._of.get(client, {})
        if topic in known:
            return topic, known[topic]
        found = max((f for f in known if _matches(f, topic)), key=_literals, default="")
        return found, known.get(found, "")


def _matches(subscribed: str, topic: str) -> bool:
    wanted, given = subscribed.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    same: Iterable[bool] = (w in ("+", g) for w, g in zip(wanted, given, strict=False))
    return len(wanted) == len(given) and all(same)


def _literals(subscribed: str) -> int:
    return sum(token not in ("+", "#") for token in subscribed.split("/"))


def bounded(topic: str, subscribed: str = "") -> str | None:
    """What stands for a topic with ids in it: what was subscribed to, or what looks like it."""
    if subscribed == topic:
        return None
    return pattern(subscribed, "/", ("+", "#")) or template(topic, "/", "+")
