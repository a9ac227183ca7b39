"""The sender is instrumented, the subscriber is not."""

from collections.abc import Iterator

import pytest

from otel_kit.testing import Telemetry, capture
from tests.webhooks.senders import LIBRARIES
from tests.webhooks.subscriber import Subscriber, subscriber


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("shop", integrations=LIBRARIES) as telemetry:
        yield telemetry


@pytest.fixture
def peer() -> Iterator[Subscriber]:
    with subscriber() as found:
        yield found
