"""Settings: what is read, what rules over what, and how a wrong value is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_kit.exceptions import InvalidSetting
from otel_kit.settings import Settings, options

WRONG = {
    "OTEL_SDK_DISABLED": "perhaps",
    "OTEL_RESOURCE_ATTRIBUTES": "region",
    "OTEL_TRACES_SAMPLER": "sometimes",
    "OTEL_TRACES_SAMPLER_ARG": "1.5",
    "OTEL_TRACES_EXPORTER": "zipkin",
    "OTEL_METRICS_EXPORTER": "otlp,none",
    "OTEL_LOGS_EXPORTER": "prometheus",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "udp",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "udp",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "udp",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:123456/v1/traces",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "-1",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
    "OTEL_EXPORTER_OTLP_INSECURE": "1",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/file.pem",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "both",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "linear",
    "OTEL_BSP_MAX_QUEUE_SIZE": "0",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "99999",
    "OTEL_BSP_SCHEDULE_DELAY": "0",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "many",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "99999",
    "OTEL_BLRP_SCHEDULE_DELAY": "nan",
    "OTEL_METRIC_EXPORT_INTERVAL": "-5",
    "OTEL_METRICS_EXEMPLAR_FILTER": "some",
    "OTEL_EXPORTER_PROMETHEUS_PORT": "70000",
    "OTEL_PROPAGATORS": "smoke-signals",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1",
    "OTEL_KIT_PEERS": "http://billing=billing",
    "OTEL_KIT_SEMCONV_METRICS": "yes",
    "OTEL_KIT_PREFER": "ours",
    "OTEL_KIT_EDGE": "maybe",
    "OTEL_KIT_MAX_PEERS": "0",
    "OTEL_KIT_SHUTDOWN_TIMEOUT": "0",
    "OTEL_KIT_STRICT": "very",
}


@pytest.mark.parametrize(("variable", "value"), WRONG.items())
def test_wrong_value_is_refused(variable: str, value: str) -> None:
    """A wrong value is refused in one sentence with the variable, the value and what is allowed."""
    with pytest.raises(InvalidSetting) as refused:
        Settings.from_environment("orders", {variable: value})
    message = str(refused.value)
    assert message.startswith(f"{variable} is {value!r}, which is not allowed: allowed is ")
    assert message.endswith(".")
    assert "\n" not in message


def test_wrong_headers_are_not_shown() -> None:
    """Headers may hold a token, so a wrong value of theirs is refused without being repeated."""
    with pytest.raises(InvalidSetting) as refused:
        Settings.from_environment("orders", {"OTEL_EXPORTER_OTLP_HEADERS": "Bearer s3cret"})
    assert "OTEL_EXPORTER_OTLP_HEADERS" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_wrong_argument_is_refused() -> None:
    """A wrong argument in code is refused like a variable, naming both."""
    with pytest.raises(InvalidSetting, match=r"prefer \(in code, or OTEL_KIT_PREFER\) is 'ours'"):
        Settings.from_environment("orders", {}, prefer="ours")


def test_unknown_argument_is_refused() -> None:
    """A setting that does not exist is refused with the names of those that do."""
    with pytest.raises(InvalidSetting, match=r"no setting 'colour'.*service_name"):
        Settings.from_environment("orders", {}, colour="blue")


@pytest.mark.parametrize(
    ("environ", "argument", "expected"),
    [
        ({}, None, "unknown_service:python"),
        ({}, "code", "code"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=attributes"}, "code", "attributes"),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=attributes", "OTEL_SERVICE_NAME": "name"},
            "code",
            "name",
        ),
        ({"OTEL_SERVICE_NAME": " "}, "code", "code"),
    ],
)
def test_environment_names_the_service(
    environ: dict[str, str], argument: str | None, expected: str
) -> None:
    """The environment names the service before the code does, and an empty variable is none."""
    assert Settings.from_environment(argument, environ).service_name == expected


def test_environment_rules_over_code() -> None:
    """A variable that is set wins over an argument, and an argument over the default."""
    settings = Settings.from_environment(
        "orders", {"OTEL_KIT_PREFER": "contrib"}, prefer="kit", max_peers=7
    )
    assert (settings.prefer, settings.max_peers) == ("contrib", 7)


def test_lists_and_pairs_are_read() -> None:
    """Lists, pairs, percent-encoding and case are read as OpenTelemetry's specification has it."""
    settings = Settings.from_environment(
        "orders",
        {
            "OTEL_KIT_PEERS": "Billing.local:8080=billing, bank = the%20bank",
            "OTEL_METRICS_EXPORTER": "OTLP, prometheus",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_KIT_INTEGRATIONS": "httpx,,grpc ",
            "OTEL_PROPAGATORS": "tracecontext,baggage",
        },
    )
    assert settings.peers == {"billing.local:8080": "billing", "bank": "the bank"}
    assert settings.metrics_exporter == ("otlp", "prometheus")
    assert settings.traces_exporter == ()
    assert settings.integrations == ("httpx", "grpc")
    assert settings.propagators == ("tracecontext", "baggage")


def test_protocol_of_one_signal() -> None:
    """The protocol of one signal rules over the protocol of all."""
    settings = Settings.from_environment(
        "orders",
        {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
        },
    )
    assert settings.protocol("traces") == "grpc"
    assert settings.protocol("logs") == "http/protobuf"


def test_grpc_endpoint_needs_no_scheme() -> None:
    """OTLP over gRPC takes host:port as its endpoint, and knows no deflate."""
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    Settings.from_environment("orders", grpc | {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})
    with pytest.raises(InvalidSetting, match="COMPRESSION"):
        Settings.from_environment("orders", grpc | {"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"})


def test_small_queue_needs_no_second_variable() -> None:
    """A queue smaller than the default batch is allowed: the batch follows."""
    settings = Settings.from_environment("orders", {"OTEL_BSP_MAX_QUEUE_SIZE": "10"})
    assert settings.span_queue_size == 10


def test_certificate_that_exists_is_taken(tmp_path: Path) -> None:
    """The path of a file that exists is allowed where a file is wanted."""
    path = tmp_path / "ca.pem"
    path.touch()
    Settings.from_environment("orders", {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(path)})


def test_every_option_is_described_once() -> None:
    """Each option has a variable of its own, a meaning and allowed values, for a table of them."""
    table = options()
    assert len({option.variable for option in table}) == len(table)
    assert all(option.meaning and option.value.allowed for option in table)
    assert all(option.variable.startswith("OTEL_") for option in table)


def test_defaults_can_be_written_back() -> None:
    """A default, as the table shows it, is itself an allowed value that means the default."""
    written = {
        option.variable: option.default
        for option in options()
        if option.field and option.default and option.default != "all that are found"
    }
    assert Settings.from_environment(None, written) == Settings.from_environment(None, {})
