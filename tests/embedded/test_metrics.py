"""/metrics: names, types, temporality, exemplars, staleness, bounds."""

import math
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from otel_kit.embedded.config import MIB
from tests.embedded import build
from tests.embedded.running import Client, collector

Labels = dict[str, str]
OURS = {"job": "orders", "instance": "one"}


def _samples(client: Client) -> dict[str, list[tuple[Labels, float]]]:
    """What Prometheus' own parser makes of the page, without job and instance."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k not in OURS}
            found.setdefault(sample.name, []).append((labels, sample.value))
    return found


def _value(client: Client, name: str, **labels: str) -> float:
    [value] = [value for found, value in _samples(client)[name] if found == labels]
    return value


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (build.gauge("queue.depth", 1, "{message}"), "queue_depth"),
        (build.gauge("cpu.utilization", 1, "1"), "cpu_utilization_ratio"),
        (build.gauge("lag.time", 1, "s"), "lag_time_seconds"),
        (build.gauge("disk.speed", 1, "By/s"), "disk_speed_bytes_per_second"),
        (build.gauge("already_seconds", 1, "s"), "already_seconds"),
        (build.gauge("2nd-name", 1), "_2nd_name"),
        (build.counter("visits", 1), "visits_total"),
        (build.counter("requests_total", 1), "requests_total"),
    ],
)
def test_names_follow_the_prometheus_conventions(client: Client, metric: Metric, name: str) -> None:
    """Dots become underscores, the unit's word and _total are appended once."""
    client.send(build.metrics([metric]))

    assert _value(client, name) == 1.0


def test_labels_are_sanitised_and_never_take_the_place_of_ours(client: Client) -> None:
    """Attributes become legal labels, escaped; job and instance come from the resource."""
    attributes = {"http.route": '/a"b\\c\nd', "job": "mine", "yes": True, "a.b": "1", "a-b": "2"}
    client.send(build.metrics([build.gauge("g", 1, **attributes)]))
    labels = {
        "http_route": '/a"b\\c\nd',
        "exported_job": "mine",
        "yes": "true",
        "a_b": "2;1",
    }

    assert _value(client, "g", **labels) == 1.0


def test_instances_of_a_service_stay_apart(client: Client) -> None:
    """Series of two instances are two series, told apart by their instance label."""
    client.send(build.metrics([build.counter("visits", 1)], instance="one"))
    client.send(build.metrics([build.counter("visits", 2)], instance="two"))
    page = client.get("/metrics").text

    assert 'visits_total{job="orders",instance="one"} 1.0' in page
    assert 'visits_total{job="orders",instance="two"} 2.0' in page


def test_cumulative_points_replace_and_deltas_add_up(client: Client) -> None:
    """A cumulative point is the new total; a delta is added to the total, also of histograms."""
    for value in (3, 5):
        client.send(build.metrics([build.counter("cumulative", value)]))
        client.send(build.metrics([build.counter("delta", value, delta=True)]))
        waits = build.histogram("wait", [1.0, 2.0], [1, value, 0], delta=True)
        client.send(build.metrics([waits]))

    assert _value(client, "cumulative_total") == 5.0
    assert _value(client, "delta_total") == 8.0
    assert _value(client, "wait_seconds_bucket", le="2.0") == 10.0
    assert _value(client, "wait_seconds_count") == 10.0


def test_an_older_cumulative_point_changes_nothing(client: Client) -> None:
    """A late, older point of a running total is ignored."""
    old, new = build.counter("visits", 1), build.counter("visits", 2)
    client.send(build.metrics([new]))
    client.send(build.metrics([old]))

    assert _value(client, "visits_total") == 2.0


def test_up_down_sums_are_gauges_and_summaries_keep_their_quantiles(client: Client) -> None:
    """A sum that may fall is a gauge; a summary is shown with its quantiles, sum and count."""
    updown = Metric(name="jobs")
    updown.sum.aggregation_temporality = 2
    updown.sum.data_points.add(as_int=-3, time_unix_nano=1)
    summary = Metric(name="size", unit="By")
    point = summary.summary.data_points.add(count=4, sum=10.0, time_unix_nano=1)
    point.quantile_values.add(quantile=0.5, value=2.0)
    client.send(build.metrics([updown, summary]))

    assert "# TYPE jobs gauge" in client.get("/metrics").text
    assert _value(client, "jobs") == -3.0
    assert _value(client, "size_bytes", quantile="0.5") == 2.0
    assert (_value(client, "size_bytes_sum"), _value(client, "size_bytes_count")) == (10.0, 4.0)


def _exponential(scale: int, offset: int, counts: list[int], **fields: Any) -> Metric:
    metric = Metric(name="exp")
    metric.exponential_histogram.aggregation_temporality = 1
    point = metric.exponential_histogram.data_points.add(
        scale=scale, count=sum(counts), sum=1.0, time_unix_nano=time.time_ns(), **fields
    )
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)
    return metric


def test_exponential_histograms_become_buckets_and_add_up_over_scales(client: Client) -> None:
    """Exponential histograms of different scales are added at the coarser one."""
    client.send(build.metrics([_exponential(1, 0, [1, 1, 1, 1])]))
    client.send(build.metrics([_exponential(0, 0, [2, 2], zero_count=0)]))

    assert _value(client, "exp_bucket", le="2.0") == 4.0
    assert _value(client, "exp_bucket", le="4.0") == 8.0
    assert _value(client, "exp_bucket", le="+Inf") == 8.0


def test_extreme_exponential_histograms_do_no_harm(client: Client) -> None:
    """Indexes beyond what a float can hold, and many buckets, are still shown in order."""
    wild = [
        _exponential(-11, 2**31 - 2, [1]),
        _exponential(20, -(2**31), [1]),
        _exponential(20, 0, [1] * 500),
    ]
    for metric in wild:
        client.send(build.metrics([metric]))
    buckets = [value for _, value in _samples(client)["exp_bucket"]]

    assert buckets == sorted(buckets)
    assert buckets[-1] == 502.0


def test_openmetrics_has_exemplars(client: Client) -> None:
    """A client that accepts OpenMetrics gets exemplars with the trace they were measured in."""
    metric = build.histogram("wait", [1.0, 2.0], [0, 1, 0])
    exemplar = Exemplar(
        as_double=1.5, time_unix_nano=10**18, trace_id=b"\x01" * 16, span_id=b"\x02" * 8
    )
    metric.histogram.data_points[0].exemplars.append(exemplar)
    client.send(build.metrics([metric, build.counter("visits", 1)]))
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    answer = client.http.get(f"{client.query_url}/metrics", headers=accept)
    families = {f.name: f for f in openmetrics.text_string_to_metric_families(answer.text)}
    [bucket] = [s for s in families["wait_seconds"].samples if s.labels.get("le") == "2.0"]

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert bucket.exemplar.labels == {"trace_id": "01" * 16, "span_id": "02" * 8}
    assert bucket.exemplar.value == 1.5
    assert families["visits"].type == "counter"


def test_special_values_and_clashing_types_leave_the_page_readable(client: Client) -> None:
    """NaN and infinity are written as Prometheus does; of two types of one name one is shown."""
    client.send(build.metrics([build.gauge("a", math.nan), build.gauge("b", -math.inf)]))
    client.send(build.metrics([build.histogram("a", [1.0], [1, 1], unit="")]))

    assert math.isnan(_value(client, "a"))
    assert _value(client, "b") == -math.inf
    assert "a_bucket" not in _samples(client)


@pytest.mark.parametrize(
    "metric",
    [
        build.histogram("bad", [1.0, 2.0], [1, 1]),
        build.histogram("bad", [2.0, 1.0], [1, 1, 1]),
        build.histogram("bad", [math.nan], [1, 1]),
        build.histogram("bad", [float(n) for n in range(600)], [1] * 601),
        _exponential(21, 0, [1]),
        build.gauge("bad", 1, long="x" * 9_000),
    ],
)
def test_points_that_make_no_sense_are_rejected_alone(client: Client, metric: Metric) -> None:
    """An impossible data point is counted with a reason, and its neighbours are kept."""
    answer = client.send(build.metrics([metric, build.counter("good", 1)]))
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success

    assert partial.rejected_data_points == 1
    assert len(partial.error_message) > 10
    assert set(_samples(client)) == {"good_total"}


def test_a_point_without_value_ends_its_series(client: Client) -> None:
    """A point flagged as "no recorded value" takes the series off the page."""
    client.send(build.metrics([build.gauge("g", 1)]))
    ended = build.gauge("g", 0)
    ended.gauge.data_points[0].flags = 1
    client.send(build.metrics([ended]))

    assert _samples(client) == {}


def test_series_without_updates_for_five_minutes_are_left_out(tmp_path: Path) -> None:
    """A series that nobody has updated for five minutes is stale."""
    with collector(tmp_path) as client:
        client.send(build.metrics([build.gauge("old", 1), build.gauge("new", 1)]))
    with sqlite3.connect(tmp_path / "telemetry.db") as connection:
        ago = time.time_ns() - 301 * build.SECOND
        connection.execute("UPDATE series SET updated_at = ? WHERE key LIKE '%old%'", (ago,))
    connection.close()

    with collector(tmp_path) as client:
        assert set(_samples(client)) == {"new"}


def test_the_number_of_series_is_bounded_and_known_ones_go_on() -> None:
    """Series past the limit are refused and counted; those known keep being updated."""
    with collector(max_size=8 * MIB) as client:
        many = [build.gauge("many", 1, number=number) for number in range(5_000)]
        answer = client.send(build.metrics(many))
        partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
        kept = len(_samples(client)["many"])
        client.send(build.metrics([build.gauge("many", 2, number=0)]))

        assert partial.rejected_data_points == 5_000 - kept
        assert "too many metric series" in partial.error_message
        assert 500 < kept < 5_000
        assert _value(client, "many", number="0") == 2.0


def test_target_info_tells_what_else_is_known_of_a_service(client: Client) -> None:
    """Resource attributes but the identity are labels of target_info, bounded, beside the job."""
    request = build.metrics([build.counter("visits", 1)])
    resource = request.resource_metrics[0].resource
    resource.attributes.extend(build.pairs({"host.name": "h" * 1000, "process.pid": 7}))
    client.send(request)
    page = client.get("/metrics").text

    assert f'target_info{{job="orders",instance="one",host_name="{"h" * 256}"' in page
    assert _value(client, "target_info", host_name="h" * 256, process_pid="7") == 1.0

    resource.attributes.extend(build.pairs({f"a{number:03}": number for number in range(100)}))
    client.send(request)
    assert max(len(labels) for labels, _ in _samples(client)["target_info"]) == 32


def test_a_service_with_only_an_identity_has_no_target_info(client: Client) -> None:
    """There is no target_info without anything to tell."""
    client.send(build.metrics([build.gauge("g", 1)]))

    assert set(_samples(client)) == {"g"}
