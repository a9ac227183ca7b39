"""Clients of the one NATS server of this process, and what was recorded of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
from opentelemetry import trace

from otel_kit.testing import Telemetry
from tests.servers.nats import Nats


@asynccontextmanager
async def connected(server: Nats) -> AsyncIterator[Any]:
    """A client."""
    found = await nats.connect(server.url)
    try:
        yield found
    finally:
        await found.close()


def kinds(telemetry: Telemetry) -> list[str]:
    """The kinds of all spans, sorted."""
    return sorted(span.kind.name for span in telemetry.spans)


def span_id() -> int:
    """The current one's."""
    return trace.get_current_span().get_span_context().span_id
