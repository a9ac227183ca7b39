"""`--subject` chooses whose instrumentation the contract is held against; the table is printed."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from opentelemetry import propagate
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from otel_kit.integrations import load
from otel_kit.testing import Telemetry, capture

SUBJECTS = ("kit", "contrib")


class Subject:
    """Whose instrumentation is under test: ours (`kit`) or OpenTelemetry's own (`contrib`)."""

    def __init__(self, name: str) -> None:
        self.name = name

    @contextmanager
    def record(
        self, *libraries: str, service: str = "tested", sampler: Sampler = ALWAYS_ON
    ) -> Iterator[Telemetry]:
        """Instrument the libraries and record what they emit."""
        if self.name == "kit":
            with capture(service, sampler=sampler, integrations=libraries) as telemetry:
                yield telemetry
            return
        telemetry = Telemetry(service, sampler)
        with ExitStack() as undo:
            for library in libraries:
                instrumentors = list(load(library).instrumentors(load=True))
                assert instrumentors, f"no instrumentation of {library} by OpenTelemetry"
                for each in instrumentors:
                    each.instrument(
                        tracer_provider=telemetry.tracer_provider,
                        meter_provider=telemetry.meter_provider,
                    )
                    undo.callback(each.uninstrument)
            yield telemetry


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    """The subject of this run."""
    return Subject(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--subject")
        subjects = SUBJECTS if chosen == "both" else [chosen]
        metafunc.parametrize("subject", subjects, indirect=True)


@pytest.fixture(autouse=True)
def _propagator_is_put_back() -> Iterator[None]:
    before = propagate.get_global_textmap()
    yield
    assert propagate.get_global_textmap() is before


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    callspec = getattr(item, "callspec", None)
    if callspec is None or "subject" not in callspec.params:
        return
    if report.when == "call" or (report.when == "setup" and not report.passed):
        library = next((p for k, p in callspec.params.items() if k.endswith("harness")), None)
        report.user_properties.append(
            (
                "contract",
                (
                    callspec.params["subject"],
                    str(getattr(library, "library", "")),
                    item.originalname,
                    report.outcome,
                ),
            )
        )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.getoption("--subject") == "kit":
        return
    rows: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == "contract":
                    subject, library, scenario, outcome = value
                    rows[scenario.removeprefix("test_"), library][subject] = outcome
    subjects = sorted({subject for row in rows.values() for subject in row})
    terminalreporter.section("contract: scenario × subject")
    for (scenario, library), row in sorted(rows.items()):
        marks = "  ".join(f"{s}: {row.get(s, '-'):8}" for s in subjects)
        terminalreporter.write_line(f"{library:14} {scenario:64} {marks}")
