"""`otel-kit doctor` on the telemetry that a collector has."""

import subprocess
import sys
import time

import pytest

from otel_kit import names
from otel_kit.cli import main
from tests.doctor.conftest import Examine
from tests.embedded import build
from tests.embedded.running import Client

LOST = {"client": "unknown", "server": "bank", "transport": "kafka", "destination": "payments"}


def test_lost_context_is_named_with_rate_time_and_cause(client: Client, examine: Examine) -> None:
    """A hop that loses context now is a problem."""
    lost = build.counter(names.PROPAGATION_MESSAGES, 3, result="missing", **LOST)
    kept = build.counter(names.PROPAGATION_MESSAGES, 9, result="continued", **LOST)
    client.send(build.metrics([lost, kept], "bank"))
    found = examine(client)

    (line,) = found.of("propagation", "problem")
    today = time.strftime("%Y-%m-%d", time.localtime())
    assert "unknown → bank over kafka (payments) lost the context of 3 of 12 (25%" in line
    assert f"since {today}" in line
    assert "the producer on payments sends no headers" in line


def test_lost_telemetry_is_named_with_its_remedy(client: Client, examine: Examine) -> None:
    """By service, signal and reason."""
    lost = build.counter(names.TELEMETRY_LOST, 5, signal="traces", reason="queue_full")
    none = build.counter(names.TELEMETRY_LOST, 0, signal="logs", reason="rejected")
    client.send(build.metrics([lost, none], "orders"))

    (line,) = examine(client).of("lost telemetry", "problem")
    assert line.startswith("orders lost 5 traces (queue_full): raise OTEL_BSP_MAX_QUEUE_SIZE")


def test_clocks_that_differ_are_mentioned(client: Client, examine: Examine) -> None:
    """By the pair of services between which messages seem to go back in time."""
    pair = {"client": "orders", "server": "billing", "transport": "kafka"}
    client.send(build.metrics([build.counter(names.QUEUE_CLOCK_SKEW, 2, **pair)], "billing"))

    (line,) = examine(client).of("clocks", "note")
    assert line.startswith("2 messages from orders seem to reach billing before they were sent")


def test_a_collector_that_was_asked_for_must_answer(
    examine: Examine,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An OTLP port is no query API: exit code 1, and the line says where it was asked."""
    code = main(["doctor", "--url", client.otlp_http_url])

    assert code == 1
    assert f"✗ {client.otlp_http_url}/healthz answers 404" in capsys.readouterr().out


def test_names_of_strangers_cannot_steer_the_terminal(
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Control characters in a label are shown as question marks."""
    labels = {**LOST, "destination": "\x1b[2Jpayments"}
    lost = build.counter(names.PROPAGATION_MESSAGES, 3, result="missing", **labels)
    client.send(build.metrics([lost], "bank"))
    main(["doctor", "--url", client.query_url])

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "?[2Jpayments" in shown


def test_a_terminal_without_our_marks_gets_plain_ones() -> None:
    """And no stack trace."""
    command = [sys.executable, "-m", "otel_kit.cli", "doctor", "--url", "http://127.0.0.1:1"]
    environment = {"PYTHONIOENCODING": "ascii", "OTEL_TRACES_SAMPLER": "bogus"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (1, "")
    assert "x http://127.0.0.1:1 does not answer" in done.stdout


@pytest.mark.parametrize(
    "url", ["localhost", "ftp://host", "http://", "http://host:port", "file:///"]
)
def test_a_url_that_is_none_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and one sentence."""
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--url", url])

    assert caught.value.code == 2
    assert "is not a URL such as" in capsys.readouterr().err
