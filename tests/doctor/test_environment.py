"""`otel-kit doctor` on what the environment tells a service."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.doctor.conftest import Examine
from tests.embedded.running import Client

NOWHERE = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, held so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_nothing_is_wrong_with_a_collector_that_takes_everything(
    client: Client, examine: Examine
) -> None:
    """All three signals are accepted, every library is within its versions: exit code 0."""
    found = examine(client)

    assert found.code == 0
    (line,) = found.of("exporters", "fine")
    assert line.startswith(f"traces, metrics, logs to {client.otlp_http_url} by http/protobuf")


def test_a_wrong_setting_is_named(examine: Examine) -> None:
    """With what is allowed; nothing else of the environment is checked then."""
    found = examine(OTEL_TRACES_SAMPLER="bogus")

    assert found.code == 1
    (line,) = found.of("settings")
    assert "OTEL_TRACES_SAMPLER is 'bogus'" in line
    assert "parentbased_traceidratio" in line
    assert not found.of("exporters")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_is_not_there_is_a_problem(
    protocol: str, closed_port: int, examine: Examine
) -> None:
    """The line has the address, the reason, and what to start."""
    found = examine(
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{closed_port}",
    )

    (line,) = found.of("exporters", "problem")
    assert f"127.0.0.1:{closed_port} by {protocol}" in line
    assert "otel-kit up" in line


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_port_is_not_taken_for_an_answer(protocol: str, examine: Examine) -> None:
    """A number that looks like the status of an HTTP answer is a port all the same."""
    with held_between(14_040, 14_060) as port:
        found = examine(
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        )

    assert "otel-kit up" in found.of("exporters", "problem")[0]


@contextmanager
def held_between(first: int, end: int) -> Iterator[int]:
    """A port of these where nobody listens."""
    for port in range(first, end):
        with socket.socket() as held, suppress(OSError):
            held.bind(("127.0.0.1", port))
            yield port
            return
    raise AssertionError("all of them are taken")


def test_the_wrong_protocol_is_told_from_a_port_that_is_closed(
    client: Client, examine: Examine
) -> None:
    """gRPC to the HTTP port of a collector: the advice speaks of the protocol."""
    found = examine(client, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")

    (line,) = found.of("exporters", "problem")
    assert "check endpoint and protocol" in line


def test_a_path_that_is_no_receiver_is_told(client: Client, examine: Examine) -> None:
    """A query port that answers 404 takes no spans."""
    found = examine(OTEL_EXPORTER_OTLP_ENDPOINT=client.query_url)

    (line,) = found.of("exporters", "problem")
    assert "HTTP 40" in line
    assert "check endpoint and protocol" in line


def test_signals_that_go_nowhere_are_mentioned(examine: Examine) -> None:
    """Nothing is sent for them, and nothing is wrong."""
    found = examine(**NOWHERE, OTEL_LOGS_EXPORTER="none")

    assert found.code == 0
    assert len(found.of("exporters", "note")) == 3


def test_otlp_over_grpc_mentions_forks(
    client: Client, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forked children cannot send by gRPC unless its fork support is on."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", client.otlp_grpc_url)
    found = examine(OTEL_EXPORTER_OTLP_PROTOCOL="grpc")

    assert found.of("exporters", "fine")
    assert any("GRPC_ENABLE_FORK_SUPPORT=1" in line for line in found.of("exporters", "note"))


def test_libraries_are_named_with_their_versions(examine: Examine) -> None:
    """Those of the catalogue that are installed, whose spans they get, and what escapes."""
    found = examine(**NOWHERE, OTEL_LOGS_EXPORTER="none")
    lines = found.of("libraries", "fine")

    for library in ("aiokafka", "fastapi", "grpc", "httpx", "kafka-python", "starlette"):
        assert any(line.startswith(f"{library} ") and "instrumented" in line for line in lines)
    (unseen,) = found.of("libraries", "note")
    assert "confluent-kafka" in unseen


def test_a_library_that_is_switched_off_is_mentioned(examine: Examine) -> None:
    """Its hops are not recorded."""
    off = {"OTEL_KIT_DISABLED_INTEGRATIONS": "httpx"}
    found = examine(**NOWHERE, OTEL_LOGS_EXPORTER="none", **off)

    assert any(line.startswith("httpx is switched off") for line in found.of("libraries", "note"))


def test_an_integration_that_does_not_exist_is_a_problem(examine: Examine) -> None:
    """A service would refuse to start with it."""
    found = examine(**NOWHERE, OTEL_LOGS_EXPORTER="none", OTEL_KIT_INTEGRATIONS="httpz")

    assert any("'httpz' is none of" in line for line in found.of("libraries", "problem"))


def test_who_prefers_contrib_is_told_whose_spans_there_are(examine: Examine) -> None:
    """OpenTelemetry's own instrumentations are installed here."""
    found = examine(**NOWHERE, OTEL_LOGS_EXPORTER="none", OTEL_KIT_PREFER="contrib")

    assert any("httpx" in line and "bridged" in line for line in found.of("libraries", "fine"))
