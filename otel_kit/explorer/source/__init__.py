"""Where the explorer reads from: three sources with one interface.

    source = EmbeddedSource("http://127.0.0.1:16686")
    source = JaegerSource("http://jaeger:16686", "http://prometheus:9090")
    source = BundleSource.at(Path("order-1.otel-kit.json"))

To add one: write a class with the methods of `Source`.
"""

from otel_kit.explorer.source.base import (
    Answer,
    NotKnown,
    Order,
    Rows,
    SagaPage,
    SagaSearch,
    Source,
)
from otel_kit.explorer.source.bundle import BundleSource, CannotOpen
from otel_kit.explorer.source.embedded import EmbeddedSource
from otel_kit.explorer.source.jaeger import JaegerSource
from otel_kit.explorer.source.problems import BadAnswer, NotThere, SourceDown, SourceError

__all__ = [
    "Answer",
    "BadAnswer",
    "BundleSource",
    "CannotOpen",
    "EmbeddedSource",
    "JaegerSource",
    "NotKnown",
    "NotThere",
    "Order",
    "Rows",
    "SagaPage",
    "SagaSearch",
    "Source",
    "SourceDown",
    "SourceError",
]
