"""Variables that OpenTelemetry's SDK and exporters read themselves; we only refuse wrong ones.

The exporters fall back on a default with a log line when a value is wrong, and some raise.
Telemetry that goes to the wrong place is worse than a refusal at start-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_kit import _values as values
from otel_kit.settings import SIGNALS, Option

if TYPE_CHECKING:
    from otel_kit.settings import Settings

_LIMITS: Final = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "attributes kept of one span, event, link or log record",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "characters kept of an attribute's value",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "attributes kept of one span",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "characters kept of a span attribute's value",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "events kept of one span",
    "OTEL_SPAN_LINK_COUNT_LIMIT": "links kept of one span",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "attributes kept of one event",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "attributes kept of one link",
}


def _otlp(prefix: str, which: str) -> Iterator[Option]:
    """The options of OTLP for one signal, or for all of them."""
    endpoint = "http://localhost:4318 (4317 for grpc)" if prefix == "OTEL_EXPORTER_OTLP" else ""
    yield Option(f"{prefix}_ENDPOINT", endpoint, f"where OTLP is sent{which}", values.URL)
    headers = f"headers sent with OTLP{which}"
    yield Option(f"{prefix}_HEADERS", "", headers, values.PAIRS, secret=True)
    seconds = values.number(above=True)
    yield Option(f"{prefix}_TIMEOUT", "10", f"s that one export may take{which}", seconds)
    compression = values.one_of("none", "gzip", "deflate")
    yield Option(f"{prefix}_COMPRESSION", "none", f"compression of OTLP{which}", compression)
    yield Option(f"{prefix}_INSECURE", "", f"grpc without TLS{which}", values.FLAG)
    for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"):
        yield Option(f"{prefix}_{name}", "", f"PEM file for TLS{which}", values.FILE)


def _all() -> Iterator[Option]:
    yield from _otlp("OTEL_EXPORTER_OTLP", "")
    for signal in SIGNALS:
        yield from _otlp(f"OTEL_EXPORTER_OTLP_{signal.upper()}", f", for {signal} only")
    temporality = values.one_of("cumulative", "delta", "lowmemory")
    yield Option(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "cumulative",
        "whether counts are since the start or since the last export",
        temporality,
    )
    yield Option(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram",
        "the kind of histogram",
        values.one_of("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
    )
    for variable, meaning in _LIMITS.items():
        yield Option(variable, "", meaning, values.whole(0))


EXPORTER_OPTIONS: Final = tuple(_all())


def check_exporter_options(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raises `InvalidSetting` for the first variable whose value the exporters could not use."""
    for option in EXPORTER_OPTIONS:
        if environ.get(option.variable, "").strip():
            _for_protocol(option, settings).read(environ[option.variable], option.variable)


def _for_protocol(option: Option, settings: Settings) -> Option:
    """gRPC takes an endpoint without a scheme, and knows no deflate."""
    named = [signal for signal in SIGNALS if signal.upper() in option.variable.split("_")]
    protocols = {settings.protocol(signal) for signal in named or SIGNALS}
    if option.variable.endswith("_ENDPOINT") and protocols == {"grpc"}:
        return replace(option, value=values.TARGET)
    if option.variable.endswith("_COMPRESSION") and "grpc" in protocols:
        return replace(option, value=values.one_of("none", "gzip"))
    return option
