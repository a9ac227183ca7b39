"""Integrations of others: the entry points of the group `otel_kit.integrations`."""

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from otel_kit.exceptions import UnsupportedLibrary
from otel_kit.integrations._shape import Integration

GROUP: Final = "otel_kit.integrations"
_log = logging.getLogger("otel_kit")


@cache
def others() -> Mapping[str, EntryPoint]:
    """By their names; each is the module whose import activates the integration."""
    try:
        return {each.name: each for each in entry_points(group=GROUP)}
    except Exception:  # somebody's broken metadata is not the application's fault
        _log.warning("otel_kit cannot read the entry points of %s", GROUP, exc_info=True)
        return {}


def load_other(name: str) -> Integration:
    """Raises UnsupportedLibrary if it is no integration, and whatever its import raises."""
    found = others()[name].load()
    if not isinstance(found, Integration):
        raise UnsupportedLibrary(
            f"the entry point {name} of {GROUP} is {others()[name].value}, which is no "
            "otel_kit.integrations.Integration"
        )
    return found
