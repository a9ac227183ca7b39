"""How many values a metric label may take in one process; the rest is `_OTHER`, and shows as such.

Routes, methods and topics are few by nature, and an id in one is the application's mistake: it
must cost it the detail of one label, not its memory or its metrics store.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_kit import names
from otel_kit.hops.hop import Attributes
from otel_kit.hops.peers import Bounded

LIMITS: Final[Mapping[str, int]] = {
    names.TRANSPORT: 50,
    names.OPERATION: 1000,
    names.DESTINATION: 1000,
    names.GROUP: 1000,
}
"""Distinct values of the kit's own labels.  `client` and `server`: see `OTEL_KIT_MAX_PEERS`."""
CONVENTIONAL_LIMIT: Final = 1000
"""Distinct values of each label of the semantic conventions' metrics."""
_LEFT_ALONE: Final = frozenset({names.HTTP_RESPONSE_STATUS_CODE, names.SERVER_PORT})
"""Whole numbers from a small range."""


class Labels:
    """Bounds label values; one a process, so that all metrics agree on what is `_OTHER`."""

    def __init__(self) -> None:
        self._own = {label: Bounded(limit) for label, limit in LIMITS.items()}
        self._conventional: dict[str, Bounded] = {}

    def own(self, labels: Attributes) -> dict[str, Any]:
        """The kit's labels within their limits."""
        own = self._own
        return {
            name: own[name](str(value)) if name in own else value for name, value in labels.items()
        }

    def conventional(self, labels: Attributes) -> dict[str, Any]:
        """The semantic conventions' labels within their limit."""
        return {
            name: value if name in _LEFT_ALONE else self._bound(name)(str(value))
            for name, value in labels.items()
        }

    def _bound(self, name: str) -> Bounded:
        bound = self._conventional.get(name)
        return bound or self._conventional.setdefault(name, Bounded(CONVENTIONAL_LIMIT))
