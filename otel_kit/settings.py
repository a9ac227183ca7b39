"""Every option of the kit: environment variable, default, meaning.

Where OpenTelemetry has a variable it is used; our own begin with ``OTEL_KIT_``.  **The
environment rules over the code**, so that whoever runs a service can change what its author
wrote: a variable that is set wins over an argument of `instrument()`, and an argument wins
over the default.  The name of the service is, in this order, ``OTEL_SERVICE_NAME``,
``service.name`` in ``OTEL_RESOURCE_ATTRIBUTES``, the argument, ``unknown_service:python``.
A variable that is set but empty counts as not set (the OpenTelemetry specification's rule).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Final

from otel_kit import _values as values
from otel_kit._values import Value
from otel_kit.exceptions import InvalidSetting
from otel_kit.names import SERVICE_NAME

SIGNALS: Final = ("traces", "metrics", "logs")

SAMPLERS: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


@dataclass(frozen=True, slots=True)
class Option:
    """One setting, as the README's table shows it."""

    variable: str
    default: str
    meaning: str
    value: Value
    field: str | None = None
    """The field of `Settings`; None if OpenTelemetry's exporters read the variable themselves."""
    secret: bool = False
    """A wrong value is not shown in the error message."""

    def read(self, raw: object, name: str) -> Any:
        """The value `raw` stands for; raises `InvalidSetting`.  `name` says where it came from."""
        try:
            return self.value.read(raw)
        except ValueError as error:
            shown = "has a value" if self.secret else f"is {str(raw)[:200]!r}, which is"
            allowed = f"allowed is {self.value.allowed}"
            raise InvalidSetting(f"{name} {shown} not allowed: {allowed}.") from error


def _option(
    variable: str, value: Value, default: Any, meaning: str, shown: str | None = None
) -> Any:
    metadata = {"variable": variable, "value": value, "meaning": meaning, "shown": shown}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


_PROTOCOL = values.one_of("grpc", "http/protobuf")
_EXPORTERS = values.some_of("otlp", "console")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process.  Make one with `Settings.from_environment`."""

    service_name: str = _option(
        "OTEL_SERVICE_NAME", values.TEXT, "unknown_service:python", "name of this service"
    )
    resource_attributes: Mapping[str, str] = _option(
        "OTEL_RESOURCE_ATTRIBUTES", values.PAIRS, {}, "what else is known about this process"
    )
    disabled: bool = _option(
        "OTEL_SDK_DISABLED", values.FLAG, False, "true: the kit does nothing at all"
    )
    sampler: str = _option(
        "OTEL_TRACES_SAMPLER",
        values.one_of(*SAMPLERS),
        "parentbased_always_on",
        "which traces are kept; metrics never depend on it",
    )
    sampler_ratio: float = _option(
        "OTEL_TRACES_SAMPLER_ARG",
        values.number(0, 1),
        1.0,
        "share of traces the ratio samplers keep; traces begun within one saga are kept or none",
    )
    traces_exporter: tuple[str, ...] = _option(
        "OTEL_TRACES_EXPORTER", _EXPORTERS, ("otlp",), "where spans go"
    )
    metrics_exporter: tuple[str, ...] = _option(
        "OTEL_METRICS_EXPORTER",
        values.some_of("otlp", "console", "prometheus"),
        ("otlp",),
        "where metrics go",
    )
    logs_exporter: tuple[str, ...] = _option(
        "OTEL_LOGS_EXPORTER", _EXPORTERS, ("otlp",), "where log events go"
    )
    otlp_protocol: str = _option(
        "OTEL_EXPORTER_OTLP_PROTOCOL", _PROTOCOL, "http/protobuf", "how OTLP is sent"
    )
    otlp_traces_protocol: str | None = _option(
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", _PROTOCOL, None, "the same, for spans only"
    )
    otlp_metrics_protocol: str | None = _option(
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", _PROTOCOL, None, "the same, for metrics only"
    )
    otlp_logs_protocol: str | None = _option(
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", _PROTOCOL, None, "the same, for log events only"
    )
    span_queue_size: int = _option(
        "OTEL_BSP_MAX_QUEUE_SIZE", values.whole(1), 2048, "spans held at most; the oldest give way"
    )
    span_batch_size: int = _option(
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", values.whole(1), 512, "spans sent at once"
    )
    span_delay: float = _option(
        "OTEL_BSP_SCHEDULE_DELAY",
        values.number(above=True),
        5000,
        "ms between two exports of spans",
    )
    log_queue_size: int = _option(
        "OTEL_BLRP_MAX_QUEUE_SIZE", values.whole(1), 2048, "log events held at most"
    )
    log_batch_size: int = _option(
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", values.whole(1), 512, "log events sent at once"
    )
    log_delay: float = _option(
        "OTEL_BLRP_SCHEDULE_DELAY",
        values.number(above=True),
        1000,
        "ms between two exports of logs",
    )
    metric_interval: float = _option(
        "OTEL_METRIC_EXPORT_INTERVAL",
        values.number(above=True),
        60000,
        "ms between two exports of metrics",
    )
    exemplar_filter: str = _option(
        "OTEL_METRICS_EXEMPLAR_FILTER",
        values.one_of("always_on", "always_off", "trace_based"),
        "trace_based",
        "which measurements keep the id of their trace",
    )
    prometheus_host: str = _option(
        "OTEL_EXPORTER_PROMETHEUS_HOST", values.TEXT, "localhost", "address of /metrics"
    )
    prometheus_port: int = _option(
        "OTEL_EXPORTER_PROMETHEUS_PORT", values.whole(0, 65535), 9464, "port of /metrics"
    )
    propagators: tuple[str, ...] = _option(
        "OTEL_PROPAGATORS",
        values.PROPAGATORS,
        ("tracecontext", "baggage"),
        "how context travels; our tracestate member goes with tracecontext; none: nothing is sent",
    )
    peers: Mapping[str, str] = _option(
        "OTEL_KIT_PEERS",
        values.PEERS,
        {},
        "names of remote services that do not say who they are: host=service,host:port=service",
    )
    semconv_metrics: bool = _option(
        "OTEL_KIT_SEMCONV_METRICS",
        values.FLAG,
        True,
        "also record durations under the names of the semantic conventions",
    )
    service_graph: bool = _option(
        "OTEL_KIT_SERVICE_GRAPH",
        values.FLAG,
        True,
        "also record traces_service_graph_* for Grafana's service graph",
    )
    prefer: str = _option(
        "OTEL_KIT_PREFER",
        values.one_of("kit", "contrib"),
        "kit",
        "whose instrumentation makes the spans where both are installed",
    )
    integrations: tuple[str, ...] = _option(
        "OTEL_KIT_INTEGRATIONS", values.NAMES, (), "only these libraries", "all that are found"
    )
    disabled_integrations: tuple[str, ...] = _option(
        "OTEL_KIT_DISABLED_INTEGRATIONS", values.NAMES, (), "not these libraries"
    )
    edge: bool = _option(
        "OTEL_KIT_EDGE",
        values.FLAG,
        False,
        "this service is an entry point: requests without context are expected, and not counted",
    )
    envelopes: tuple[str, ...] = _option(
        "OTEL_KIT_ENVELOPES",
        values.NAMES,
        (),
        "messages without headers that carry context in their own bytes: redis (streams), "
        "redis-list, redis-pubsub, mqtt, or some of them: redis:orders.*; whoever receives them "
        "must have the kit",
    )
    websocket_envelope: bool = _option(
        "OTEL_KIT_WEBSOCKET_ENVELOPE",
        values.FLAG,
        False,
        "WebSocket messages carry context in an envelope, where the other side has this set too",
    )
    max_peers: int = _option(
        "OTEL_KIT_MAX_PEERS",
        values.whole(1),
        200,
        "distinct clients, servers and saga names in metric labels; the rest is _OTHER",
    )
    shutdown_timeout: float = _option(
        "OTEL_KIT_SHUTDOWN_TIMEOUT",
        values.number(above=True),
        3.0,
        "s that flushing at exit and on SIGTERM may take, over all signals",
    )
    strict: bool = _option(
        "OTEL_KIT_STRICT", values.FLAG, False, "raise the kit's own errors instead of logging them"
    )

    @classmethod
    def from_environment(
        cls,
        service: str | None = None,
        environ: Mapping[str, str] = os.environ,
        **overrides: Any,
    ) -> Settings:
        """The settings of this process.

        `service` names the service unless the environment does; `overrides` are fields of this
        class, ruled over by the environment too; None leaves the default.  Raises `InvalidSetting`,
        whose one sentence names the variable, the wrong value and the allowed values.
        """
        from otel_kit._exporter_options import check_exporter_options

        known = {option.field: option for option in _own_options()}
        chosen = {"service_name": service, **overrides}
        if unknown := sorted(set(chosen) - set(known)):
            names = ", ".join(map(str, known))
            raise InvalidSetting(f"There is no setting {unknown[0]!r}: allowed are {names}.")
        read = {str(name): _read(option, chosen, environ) for name, option in known.items()}
        settings = cls(**{name: value for name, value in read.items() if value is not None})
        check_exporter_options(settings, environ)
        return settings._checked(environ)

    def protocol(self, signal: str) -> str:
        """How OTLP is sent for a signal: ``grpc`` or ``http/protobuf``."""
        own: str | None = getattr(self, f"otlp_{signal}_protocol")
        return own or self.otlp_protocol

    def _checked(self, environ: Mapping[str, str]) -> Settings:
        for kind, name in (("BSP", "span"), ("BLRP", "log")):
            size, most = getattr(self, f"{name}_batch_size"), getattr(self, f"{name}_queue_size")
            if size > most and environ.get(f"OTEL_{kind}_MAX_EXPORT_BATCH_SIZE", "").strip():
                raise InvalidSetting(
                    f"OTEL_{kind}_MAX_EXPORT_BATCH_SIZE is '{size}', which is not allowed: "
                    f"allowed is a whole number up to OTEL_{kind}_MAX_QUEUE_SIZE, {most}."
                )
        named = self.resource_attributes.get(SERVICE_NAME)
        if named and not environ.get("OTEL_SERVICE_NAME", "").strip():
            object.__setattr__(self, "service_name", named)
        return self


def _read(option: Option, chosen: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    if environ.get(option.variable, "").strip():
        return option.read(environ[option.variable], option.variable)
    given = chosen.get(str(option.field))
    if given is None:
        return None
    return option.read(given, f"{option.field} (in code, or {option.variable})")


def _own_options() -> Iterator[Option]:
    for each in fields(Settings):
        meta = each.metadata
        shown = meta["shown"] or _shown(each)
        yield Option(meta["variable"], shown, meta["meaning"], meta["value"], each.name)


def _shown(each: Field[Any]) -> str:
    default = {} if each.default is MISSING else each.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    return (
        ""
        if default in (None, {})
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def options() -> tuple[Option, ...]:
    """Every option, ours and those the exporters read, as the README's table lists them."""
    from otel_kit._exporter_options import EXPORTER_OPTIONS

    return (*_own_options(), *EXPORTER_OPTIONS)
