"""`otel-kit doctor`: what is wrong with this environment, and with the telemetry that arrives.

To add a check: write a function that yields findings, in the file of what it looks at, and call it
in `examine`.  A check says what to do, and never raises.
"""

from collections.abc import Iterable, Iterator

from otel_kit.doctor import environment, libraries, telemetry
from otel_kit.doctor.findings import Finding, as_json, as_text, problem, problems

__all__ = ["DEFAULT_URL", "Finding", "as_json", "as_text", "examine", "problems"]

DEFAULT_URL = "http://127.0.0.1:16686"
"""The query API of `otel-kit up`."""


def examine(url: str | None = None) -> Iterator[Finding]:
    """Everything found, in the order in which one would mend it.

    `url` is that of a query API; one that was asked for must answer, the default one may be absent.
    """
    yield from _guarded("settings", environment.settings())
    settings = environment.usable_settings()
    if settings is not None:
        yield from _guarded("exporters", environment.exporters(settings))
        yield from _guarded("libraries", libraries.libraries(settings))
    yield from _guarded("telemetry", telemetry.telemetry(url or DEFAULT_URL, asked_for=bool(url)))


def _guarded(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """A check that breaks is itself a finding."""
    try:
        yield from findings
    except Exception as error:
        text = f"{check} could not be checked ({type(error).__name__}: {error})"[:300]
        yield problem(check, text, "this is a bug of otel_kit, please report it")
