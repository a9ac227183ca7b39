"""The contract's pytest plugin: ``pytest_plugins = ["otel_kit.testing.contract.plugin"]``.

It runs the scenarios of a module with each of the harnesses in the module's ``HARNESSES``, leaves
out what a harness says that its library cannot do, and has the fixture `subject`.
"""

from collections.abc import Iterator
from inspect import signature

import pytest
from opentelemetry import propagate

from otel_kit.testing.contract import SCENARIOS
from otel_kit.testing.contract.subject import Subject

pytest.register_assert_rewrite(*(f"otel_kit.testing.contract.{name}" for name in SCENARIOS))


def pytest_configure(config: pytest.Config) -> None:
    """Make the contract's markers known."""
    for line in (
        "only: a scenario of the contract that holds where its function says so",
        "own: a scenario of the contract that the kit alone sets out to meet",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module's scenarios with its harnesses."""
    harnesses = getattr(metafunc.module, "HARNESSES", None)
    if harnesses is None or "harness" not in metafunc.fixturenames:
        return
    if "why" in metafunc.fixturenames:
        pairs = [(harness, why) for harness in harnesses for why in harness.refusals]
        names = [f"{harness.__name__}-{why}" for harness, why in pairs]
        metafunc.parametrize(("harness", "why"), pairs, ids=names)
    else:
        metafunc.parametrize("harness", harnesses, ids=lambda harness: harness.__name__)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what does not apply."""
    left_out = [item for item in items if not _applies(item)]
    if left_out:
        items[:] = [item for item in items if _applies(item)]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Whose instrumentation is tested; it leaves the process's propagator as it was."""
    before = propagate.get_global_textmap()
    yield Subject(getattr(request, "param", "kit"))
    assert propagate.get_global_textmap() is before


def _applies(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    if callspec is None or not isinstance(callspec.params.get("harness"), type):
        return True
    return all(
        applies(**{name: callspec.params[name] for name in signature(applies).parameters})
        for marker in item.iter_markers("only")
        for applies in marker.args
    )
