"""*Telemetry health*: may the other dashboards be believed?"""

from typing import Final

from dashboards.source import variables
from dashboards.source.board import Board, Section
from dashboards.source.metrics import CLOCK_SKEW, HOP, PROPAGATION, TELEMETRY_LOST
from dashboards.source.panels import (
    COUNT,
    FAULTS,
    FAULTS_PERCENT,
    NOTICE,
    PER_SECOND,
    SHARE,
    Column,
    Query,
    bars,
    figure,
    rows,
    timeline,
)
from dashboards.source.promql import by, counted, percent, rates, shares

_LOST: Final = 'result!="continued"'
_EDGE: Final = "client, server, transport, destination"
_ARRIVED: Final = (variables.SERVER, variables.TRANSPORT)
_ALL: Final = '{__name__=~"otel_kit_.+|traces_service_graph_.+"}'


def _overflow() -> str:
    """Hops of which a label had too many values, so that it became `_OTHER`."""
    ends = [f'{label}="_OTHER"' for label in ("client", "server", "operation")]
    parts = [rates("job", HOP.count, end) for end in ends]
    return f"{' or '.join(parts)} or 0 * {rates('job', HOP.count)}"


_NOW: Final = Section(
    "Now",
    [
        figure(
            "Context lost",
            "Share of inbound hops whose trace did not continue that of the caller. Their traces"
            " are cut in two; metrics are not affected. `otel-kit doctor` names the likely cause.",
            Query(shares("", PROPAGATION.series, _LOST, *_ARRIVED)),
            unit=SHARE,
            levels=FAULTS,
        ),
        figure(
            "Telemetry lost",
            "Spans, log records and metric points that never arrived, in the chosen time.",
            Query(f"sum({counted(TELEMETRY_LOST.series, variables.JOB)})"),
            unit=COUNT,
            levels=NOTICE,
            none="none",
        ),
        figure(
            "Clock skew",
            "Messages in the chosen time that seem to have arrived before they were sent.",
            Query(f"sum({counted(CLOCK_SKEW.series, *_ARRIVED)})"),
            unit=COUNT,
            levels=NOTICE,
            none="none",
        ),
        figure(
            "Services",
            "Services that report. Compare with how many you run.",
            Query(f"count(count by (job) ({HOP.count}))"),
            unit=COUNT,
        ),
        figure(
            "Series",
            "Series of the kit's metrics that Prometheus keeps. It should stay level: growth means"
            " that a label takes ever new values.",
            Query(f"count({_ALL})"),
            unit=COUNT,
        ),
        figure(
            "Overflow",
            "Hops a second that are counted under _OTHER because a label had too many values: see"
            " OTEL_KIT_MAX_PEERS in docs/settings.md.",
            Query(f"sum({_overflow()})"),
            unit=PER_SECOND,
            levels=NOTICE,
        ),
    ],
)
_CONTEXT: Final = Section(
    "Context",
    [
        timeline(
            "What became of context",
            "Inbound hops a second: continued; missing (no header came: an uninstrumented client,"
            " or a proxy that drops headers); invalid (unreadable); stale (someone passed old"
            " headers on).",
            Query(rates("result", PROPAGATION.series, *_ARRIVED), "{{result}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        timeline(
            "Lost by service",
            "Share of inbound hops that lost their context. Services declared as entry points"
            " (OTEL_KIT_EDGE) do not count requests that come without.",
            Query(shares("server", PROPAGATION.series, _LOST, *_ARRIVED), "{{server}}"),
            unit=SHARE,
            levels=FAULTS,
            top=1.0,
        ),
        rows(
            "Edges",
            "Every inbound edge: where context is lost. The cause is between these two.",
            Column("hops per second", rates(_EDGE, PROPAGATION.series, *_ARRIVED)),
            Column(
                "lost %",
                percent(shares(_EDGE, PROPAGATION.series, _LOST, *_ARRIVED)),
                FAULTS_PERCENT,
            ),
            sort="lost %",
        ),
    ],
)
_LOSS: Final = Section(
    "Losses, clocks and labels",
    [
        timeline(
            "Telemetry lost",
            "Items a second by signal and reason. queue_full: more than the exporter can send, or"
            " the collector was away; export_failed and rejected: the collector refuses;"
            " shutdown: the process ended before all was sent.",
            Query(
                rates("job, signal, reason", TELEMETRY_LOST.series, variables.JOB),
                "{{job}} {{signal}} {{reason}}",
            ),
            unit=PER_SECOND,
        ),
        bars(
            "Lost by service",
            "Items in the chosen time. Figures made of traces are incomplete for these services.",
            Query(
                by("job, signal, reason", counted(TELEMETRY_LOST.series, variables.JOB)),
                "{{job}} {{signal}} {{reason}}",
            ),
            unit=COUNT,
            levels=NOTICE,
        ),
        bars(
            "Clocks that disagree",
            "Messages in the chosen time that seem to have arrived before they were sent; their"
            " wait counts as zero. Set the clocks of the two machines.",
            Query(
                by("client, server", counted(CLOCK_SKEW.series, *_ARRIVED)),
                "{{client}} → {{server}}",
            ),
            unit=COUNT,
            levels=NOTICE,
        ),
        timeline(
            "Series by service",
            "How many series each service makes. One that climbs without end has a label that"
            " takes ever new values: an id in an operation, say.",
            Query(f"count by (job) ({_ALL})", "{{job}}"),
            unit=COUNT,
        ),
    ],
)

BOARD: Final = Board(
    "telemetry-health",
    "Telemetry health",
    "May the other dashboards be believed? Lost context, lost telemetry, clocks, labels.",
    [variables.service(), variables.transport()],
    [_NOW, _CONTEXT, _LOSS],
)
