"""What to explore: read from the command line of ``otel-kit explore``, handed on to the pages."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from otel_kit.explorer.source import BundleSource, EmbeddedSource, JaegerSource, Source

COLLECTOR: Final = "http://127.0.0.1:16686"
_VARIABLE: Final = "OTEL_KIT_EXPLORER"
"""Set in the process that serves the pages: they are scripts, which take no arguments."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is read: a saga's file, else a Jaeger with or without a Prometheus, else `collector`."""

    collector: str = COLLECTOR
    jaeger: str = ""
    prometheus: str = ""
    bundle: str = ""

    def source(self) -> Source:
        """Raises ValueError if a URL is none, CannotOpen if the file is no saga's."""
        if self.bundle:
            return BundleSource.at(Path(self.bundle))
        if self.jaeger:
            return JaegerSource(self.jaeger, self.prometheus or None)
        return EmbeddedSource(self.collector)


def tell_this_process(options: Options) -> None:
    """For `of_this_process`."""
    os.environ[_VARIABLE] = json.dumps(asdict(options))


def of_this_process() -> Options:
    """What it was told, else the embedded collector of this machine."""
    return Options(**json.loads(os.environ.get(_VARIABLE, "{}")))
