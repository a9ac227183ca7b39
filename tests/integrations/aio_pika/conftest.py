"""aio-pika, and a real RabbitMQ."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aio_pika
import pytest

from otel_kit.testing import Telemetry, capture
from tests.contract.harness.rabbitmq import Rabbit


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """aio-pika instrumented, and nothing else."""
    with capture("tested", integrations=["aio-pika"]) as found:
        yield found


@pytest.fixture
def broker() -> Rabbit:
    return Rabbit.shared()


@pytest.fixture
async def channel(broker: Rabbit) -> AsyncIterator[Any]:
    async with await aio_pika.connect_robust(broker.server.url) as connection:
        yield await connection.channel()
