"""What to explore: read from the command line of ``otel-kit explore``, handed on to the pages."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Final

from otel_kit.explorer.source import EmbeddedSource, JaegerSource, Source

COLLECTOR: Final = "http://127.0.0.1:16686"
_VARIABLE: Final = "OTEL_KIT_EXPLORER"
"""Set for the process that serves the pages, by the one that starts it."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where telemetry is read from: a Jaeger, with or without a Prometheus, else `collector`."""

    collector: str = COLLECTOR
    jaeger: str = ""
    prometheus: str = ""

    def source(self) -> Source:
        """Raises ValueError if a URL is none."""
        if self.jaeger:
            return JaegerSource(self.jaeger, self.prometheus or None)
        return EmbeddedSource(self.collector)


def environment(options: Options) -> dict[str, str]:
    """The environment of the process that serves the pages."""
    return {**os.environ, _VARIABLE: json.dumps(asdict(options))}


def of_this_process() -> Options:
    """What `environment` put there, else the embedded collector of this machine."""
    return Options(**json.loads(os.environ.get(_VARIABLE, "{}")))
