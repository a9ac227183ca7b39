"""What stands where an integration patches."""

import importlib
from inspect import getattr_static


def patched(target: str) -> object:
    """The very object at `module:Class.attribute`; no descriptor is asked."""
    module, _, path = target.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = getattr_static(found, part)
    return found
