"""paho-mqtt, and a real Mosquitto."""

import uuid
from collections.abc import Iterator

import pytest

from otel_kit.testing import Telemetry, capture
from tests.servers.mosquitto import Mosquitto


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("tested", integrations=["paho-mqtt"]) as recorded:
        yield recorded


@pytest.fixture
def server() -> Mosquitto:
    return Mosquitto.shared()


@pytest.fixture
def topic() -> str:
    return f"shop-{uuid.uuid4().hex[:12]}"
