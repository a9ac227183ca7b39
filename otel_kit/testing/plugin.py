"""The pytest plugin of the kit: the fixture `telemetry`.  Who installs the kit has it."""

from collections.abc import Iterator

import pytest

from otel_kit.testing import Telemetry, capture


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "telemetry(service='test', **settings): how the fixture telemetry instruments: the"
        " arguments of otel_kit.testing.capture()",
    )


@pytest.fixture
def telemetry(request: pytest.FixtureRequest) -> Iterator[Telemetry]:
    """What the test makes the service emit: spans, metrics and logs, kept in memory.

    All libraries that are there are instrumented until the test ends.  The marker `telemetry` says
    otherwise: `@pytest.mark.telemetry("orders", integrations=["httpx"])`.
    """
    marker = request.node.get_closest_marker("telemetry")
    given = marker or pytest.mark.telemetry().mark
    with capture(*given.args, **given.kwargs) as found:
        yield found
