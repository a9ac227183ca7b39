"""Stock OpenTelemetry exporters of another process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.running import Client

PROGRAM = Path(__file__).with_name("sdk_program.py")


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_stock_sdk_exports_traces_metrics_and_logs(client: Client, protocol: str) -> None:
    """What a stock SDK sends over gRPC, or over HTTP with gzip, is all found again."""
    endpoint = client.otlp_grpc_url if protocol == "grpc" else client.otlp_http_url
    command = [sys.executable, str(PROGRAM), protocol, endpoint]
    trace_id = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    [trace] = client.data(f"/api/traces/{trace_id}")
    parent, child = trace["spans"]
    assert (parent["operationName"], child["operationName"]) == ("parent", "child")
    assert child["references"][0]["spanID"] == parent["spanID"]

    page = client.get("/metrics").text
    labels = 'job="stock",instance="one",otel_scope_name="stock"'
    assert f"visits_total{{{labels}}} 2.0" in page
    assert f'wait_seconds_bucket{{{labels},le="0.0"}} 0.0' in page
    assert f"wait_seconds_count{{{labels}}} 1.0" in page

    [log] = client.data("/api/logs", trace_id=trace_id)
    assert (log["event_name"], log["body"]) == ("greeting", "hello")
    assert log["span_id"] == child["spanID"]
