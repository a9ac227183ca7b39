"""The kit of this checkout, one line, everything on."""

import tomllib
from pathlib import Path

from tests.benchmarks.peers.base import Peer, opentelemetry

_PROJECT = Path(__file__).parents[3] / "pyproject.toml"
_INTEGRATION = {"wsgi": "flask", "requests": "requests"}
"""Work → the integration it needs, where the kit may not have one yet."""


class OtelKit(Peer):
    title = "otel_kit"

    def __init__(self) -> None:
        from otel_kit.integrations import CATALOGUE

        self.packages = tuple(tomllib.loads(_PROJECT.read_text())["project"]["dependencies"])
        self.missing = {
            work: f"otel_kit has no integration of {name} yet"
            for work, name in _INTEGRATION.items()
            if name not in CATALOGUE
        }

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        return opentelemetry(sink, ratio)

    def start(self, work: str) -> None:
        import otel_kit

        self._kit = otel_kit.instrument("bench")

    def flush(self) -> None:
        self._kit.flush(10)


peer = OtelKit()
