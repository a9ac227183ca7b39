"""Fixtures of the embedded collector's tests."""

from collections.abc import Iterator

import pytest

from tests.embedded.running import Client, collector


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a new, empty collector."""
    with collector() as found:
        yield found
