"""Whose instrumentation a scenario is held against."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from otel_kit.integrations import load
from otel_kit.testing import Telemetry, capture


class Subject:
    """Whose instrumentation is under test: ours (`kit`) or OpenTelemetry's own (`contrib`)."""

    def __init__(self, name: str) -> None:
        self.name = name

    @contextmanager
    def record(
        self,
        *libraries: str,
        service: str = "tested",
        sampler: Sampler = ALWAYS_ON,
        strict: bool = True,
    ) -> Iterator[Telemetry]:
        """Instrument the libraries and record what they emit.

        `strict`: a bug of an integration is raised, not logged.
        """
        if self.name == "kit":
            with capture(
                service,
                sampler=sampler,
                strict=strict,
                integrations=libraries,
                envelopes=("*",),  # what has no headers is held to the contract with them
            ) as telemetry:
                yield telemetry
            return
        telemetry = Telemetry(service, sampler)
        # The one of synchronous gRPC clients asks for the global provider, whatever it was given.
        ours: dict[str, Any] = {"_TRACER_PROVIDER": telemetry.tracer_provider}
        with ExitStack() as undo:
            undo.enter_context(patch.multiple(trace, **ours))
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
