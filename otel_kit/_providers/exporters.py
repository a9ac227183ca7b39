"""The official exporters, each behind `Delivery`: OTLP over HTTP or gRPC, and the console.

The modules of an exporter are imported when it is asked for: gRPC is a large import, and
``requests`` is one too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from otel_kit._providers.delivery import DELIVERED, Delivery, Outcome
from otel_kit.exceptions import InvalidSetting
from otel_kit.settings import Settings

if TYPE_CHECKING:
    from otel_kit._providers.verdicts import Verdict

_PARTS: Final = {
    "traces": ("trace_exporter", "OTLPSpanExporter", "trace", "Trace"),
    "metrics": ("metric_exporter", "OTLPMetricExporter", "metrics", "Metrics"),
    "logs": ("_log_exporter", "OTLPLogExporter", "logs", "Logs"),
}

_CONSOLE: Final = {
    "traces": ("opentelemetry.sdk.trace.export", "ConsoleSpanExporter"),
    "metrics": ("opentelemetry.sdk.metrics.export", "ConsoleMetricExporter"),
    "logs": ("opentelemetry.sdk._logs.export", "ConsoleLogRecordExporter"),
}


class ExporterDelivery:
    """An OpenTelemetry exporter as a `Delivery`.

    `verdict` says how the last attempt came out, which the exporter itself does not tell.  If it
    has nothing to say of a failure, nothing was sent: the batch could not be encoded.
    """

    def __init__(
        self,
        exporter: Any,
        export: Callable[[Sequence[Any]], Any],
        verdict: Verdict | None = None,
    ) -> None:
        self.exporter = exporter
        self.target = str(getattr(exporter, "_endpoint", "the console"))
        self.survives_fork = getattr(exporter, "survives_fork", True)
        self._export, self._verdict = export, verdict

    def send(self, batch: Sequence[Any]) -> Outcome:
        """One attempt."""
        result = self._export(batch)
        verdict = self._verdict() if self._verdict else None
        if result.name == "SUCCESS":
            return verdict or DELIVERED
        if self._verdict is None:
            return Outcome(delivered=False, again=True, problem="the exporter failed")
        return verdict or Outcome(delivered=False, problem="it could not be encoded")

    def close(self) -> None:
        """Shut the exporter down: interrupts a gRPC call, not an HTTP request."""
        self.exporter.shutdown()


def connect(signal: str, kind: str, settings: Settings) -> Delivery[Any]:
    """A new exporter.  `kind` is ``otlp`` or ``console``.

    Raises `InvalidSetting` if the exporter does not like what it reads from the environment.
    """
    if kind == "console":
        return _console(signal)
    try:
        return _otlp_delivery(signal, settings)
    except ImportError:
        raise
    except Exception as error:  # they refuse in many ways
        raise InvalidSetting(
            f"The OTLP exporter for {signal} refuses what the environment says: "
            f"{type(error).__name__}: {str(error)[:300]}; correct the OTEL_ variable."
        ) from error


def _otlp_delivery(signal: str, settings: Settings) -> Delivery[Any]:
    verdict: Verdict | None
    if settings.protocol(signal) == "grpc":
        from otel_kit._providers.otlp_grpc import grpc_exporter

        exporter, verdict = grpc_exporter(signal, *_otlp("grpc", signal))
    else:
        from otel_kit._providers.otlp_http import http_exporter

        made_by, answer = _otlp("http", signal)
        if signal == "traces":
            from otel_kit._providers.otlp_spans import encoding_directly

            made_by = encoding_directly(made_by)
        exporter, verdict = http_exporter(made_by, answer)
    return ExporterDelivery(exporter, _exports(signal, exporter), verdict)


def _otlp(protocol: str, signal: str) -> tuple[Any, Any]:
    """The exporter's class, and the class of the collector's answer."""
    module, name, package, prefix = _PARTS[signal]
    exporter = import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.{module}")
    answers = import_module(f"opentelemetry.proto.collector.{package}.v1.{package}_service_pb2")
    return getattr(exporter, name), getattr(answers, f"Export{prefix}ServiceResponse")


def _console(signal: str) -> Delivery[Any]:
    module, name = _CONSOLE[signal]
    exporter = getattr(import_module(module), name)(out=sys.stdout)
    return ExporterDelivery(exporter, _exports(signal, exporter))


def _exports(signal: str, exporter: Any) -> Callable[[Sequence[Any]], Any]:
    """Metrics are exported one collection at a time."""
    if signal == "metrics":
        return lambda batch: exporter.export(batch[0])
    return lambda batch: exporter.export(batch)
