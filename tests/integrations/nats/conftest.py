"""nats-py, and a real server with JetStream."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from otel_kit.testing import Telemetry, capture
from tests.integrations.nats.clients import connected
from tests.servers.nats import Nats


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("tested", integrations=["nats-py"]) as recorded:
        yield recorded


@pytest.fixture
def server() -> Nats:
    return Nats.shared()


@pytest.fixture
async def client(telemetry: Telemetry, server: Nats) -> AsyncIterator[Any]:
    async with connected(server) as found:
        yield found
