"""Scenarios that hold for some libraries only."""

from collections.abc import Callable

import pytest


def only(applies: Callable[..., bool]) -> pytest.MarkDecorator:
    """Run a scenario where `applies`, which is given parameters of the scenario by their names."""
    return pytest.mark.only.with_args(applies)
