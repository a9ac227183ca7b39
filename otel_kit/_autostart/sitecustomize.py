"""Imported by Python at start-up under ``otel-kit run``; then the user's own ``sitecustomize``."""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _theirs() -> None:
    """The ``sitecustomize`` that would have been imported without us, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs time
    sys.path[:] = [path for path in sys.path if path != here]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


def _ours() -> None:
    try:
        from otel_kit._autostart import start
    except ImportError as error:
        if error.name == "otel_kit":
            return  # another Python than ours, started by the program: none of our business
        sys.stderr.write(f"otel-kit run: {sys.executable} cannot import otel_kit: {error}.\n")
    else:
        start()


try:
    _theirs()
finally:
    _ours()
