"""What the telemetry that has arrived tells about the services that sent it."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from otel_kit.doctor.findings import Finding, fine, note, problem
from otel_kit.doctor.query import NoAnswer, QueryApi

_COLLECTOR, _PROPAGATION, _LOST, _CLOCKS = "collector", "propagation", "lost telemetry", "clocks"
_RECENT_S: Final = 15 * 60
"""What was lost longer ago is over: worth a note."""
_LOST_METRIC: Final = "otel_kit_telemetry_lost_total"
_SKEW_METRIC: Final = "otel_kit_hop_queue_clock_skew_total"
_REMEDIES: Final = {
    "queue_full": "raise OTEL_BSP_MAX_QUEUE_SIZE, or sample with OTEL_TRACES_SAMPLER",
    "export_failed": "its collector was away or too slow: see its exporters",
    "rejected": "its collector refused them: see the service's log for the reason",
    "shutdown": "raise OTEL_KIT_SHUTDOWN_TIMEOUT",
}


def telemetry(url: str, *, asked_for: bool) -> Iterator[Finding]:
    """Lost context, lost telemetry and clocks, as the query API at `url` knows them."""
    api = QueryApi(url)
    try:
        health = api.json("/healthz")
        found = [*_health(health, api), *_propagation(api), *_lost(api), *_clocks(api)]
    except NoAnswer as error:
        advice = "start otel-kit up, or say where it is with --url"
        yield (problem if asked_for else note)(_COLLECTOR, str(error), advice)
    else:
        yield from found


def _health(health: Any, api: QueryApi) -> Iterator[Finding]:
    if not isinstance(health, dict) or "spans" not in health:
        raise NoAnswer(f"{api.url} is not the query API of otel-kit")
    text = f"the collector at {api.url} has {health['spans']} spans, {health.get('series')} series"
    yield fine(_COLLECTOR, text)


def _propagation(api: QueryApi) -> Iterator[Finding]:
    rows = list(api.rows("/api/propagation"))
    losing = [row for row in rows if row["lost"]]
    for row in losing:
        over = time.time() - row["last"] > _RECENT_S
        yield (note if over else problem)(_PROPAGATION, _loss(row), row["likely_cause"])
    if not rows:
        yield note(_PROPAGATION, "no inbound hop has been counted yet", "let the services work")
    elif not losing:
        counted = sum(row["continued"] for row in rows)
        yield fine(_PROPAGATION, f"context is continued on all {counted} hops received")


def _loss(row: dict[str, Any]) -> str:
    topic = f" ({row['destination']})" if row["destination"] else ""
    hops = row["lost"] + row["continued"]
    kinds = ", ".join(kind for kind in ("missing", "invalid", "stale") if row[kind])
    return (
        f"{row['client']} → {row['server']} over {row['transport']}{topic} lost the context of"
        f" {row['lost']} of {hops} ({row['rate']:.0%}, {kinds}) since {_clock(row['since'])},"
        f" last {_clock(row['last'])}"
    )


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _lost(api: QueryApi) -> Iterator[Finding]:
    lost: Counter[tuple[str, str, str]] = Counter()
    for labels, value in api.samples(_LOST_METRIC):
        key = (labels.get("job", "?"), labels.get("signal", "?"), labels.get("reason", "?"))
        lost[key] += int(value)
    for (service, signal, reason), count in sorted((+lost).items()):
        text = f"{service} lost {count} {signal} ({reason})"
        yield problem(_LOST, text, _REMEDIES.get(reason, "see the service's log"))
    if not +lost:
        yield fine(_LOST, "no service that reports has lost telemetry")


def _clocks(api: QueryApi) -> Iterator[Finding]:
    skewed: Counter[tuple[str, str]] = Counter()
    for labels, value in api.samples(_SKEW_METRIC):
        skewed[labels.get("client", "?"), labels.get("server", "?")] += int(value)
    for (client, server), count in sorted((+skewed).items()):
        text = f"{count} messages from {client} seem to reach {server} before they were sent"
        yield note(_CLOCKS, text, "their clocks differ, and waits count as 0: synchronise them")
    if not +skewed:
        yield fine(_CLOCKS, "no message seems to arrive before it was sent")
