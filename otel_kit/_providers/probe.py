"""Asks the collector once, by an empty export: does what this environment says work?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricsData

from otel_kit._providers.delivery import Outcome
from otel_kit._providers.exporters import connect
from otel_kit._providers.reports import THREAD_PREFIX, silence_exporters, unsilence_exporters
from otel_kit.settings import SIGNALS, Settings

_EMPTY: Final[dict[str, list[Any]]] = {"metrics": [MetricsData([])]}


def probe(settings: Settings) -> dict[str, tuple[str, Outcome]]:
    """Where each signal goes that is sent by OTLP, and what the collector there answered."""
    asked = [name for name in SIGNALS if "otlp" in getattr(settings, f"{name}_exporter")]
    silence_exporters()
    try:
        with ThreadPoolExecutor(thread_name_prefix=f"{THREAD_PREFIX}probe") as pool:
            answers = pool.map(lambda signal: _ask(signal, settings), asked)
            return dict(zip(asked, answers, strict=True))
    finally:
        unsilence_exporters()


def _ask(signal: str, settings: Settings) -> tuple[str, Outcome]:
    try:
        delivery: Any = connect(signal, "otlp", settings)
    except Exception as error:  # an exporter refuses its settings in many ways
        return "", Outcome(delivered=False, problem=f"{type(error).__name__}: {error}"[:200])
    try:
        return delivery.target, delivery.send(_EMPTY.get(signal, []))
    finally:
        delivery.close()
