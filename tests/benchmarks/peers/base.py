"""What a subject is."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

BURST: Final = 50
"""Hops without a pause: fewer than any subject's queue holds."""


class Peer:
    """Its packages, its configuration, and how it instruments what is measured.

    `environment` and the attributes are read in the project's environment; everything else runs in
    the subject's own, and may import its packages.
    """

    title: str
    packages: Sequence[str] = ()
    missing: Mapping[str, str] = {}
    """Work → why this subject has nothing to measure there."""

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        """Variables of a process that delivers to `sink` (a URL) and samples that share."""
        return {}

    def start(self, work: str) -> None:
        """Set up before the application imports the libraries of `work`."""

    def instrument_app(self, work: str, app: Any) -> None:
        """Instrument a FastAPI (asgi) or Flask (wsgi) application, where that is needed."""

    def within(self, work: str) -> AbstractContextManager[object]:
        """What a burst of hops runs in, for subjects that record calls only within something."""
        return nullcontext()

    def hops_per_trace(self, work: str) -> int:
        """Of how many hops it decides at once whether they are sampled."""
        return 1

    def flush(self) -> None:
        """Deliver everything recorded so far."""


def opentelemetry(sink: str, ratio: float) -> dict[str, str]:
    """Variables that OpenTelemetry's SDK defines; at 100 % its defaults stay."""
    variables = {"OTEL_SERVICE_NAME": "bench", "OTEL_EXPORTER_OTLP_ENDPOINT": sink}
    if ratio < 1:
        variables["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"
        variables["OTEL_TRACES_SAMPLER_ARG"] = str(ratio)
    return variables


def flush_providers() -> None:
    """Of OpenTelemetry, whoever made them."""
    from opentelemetry import metrics, trace

    providers: tuple[Any, ...] = (trace.get_tracer_provider(), metrics.get_meter_provider())
    for provider in providers:
        provider.force_flush()
