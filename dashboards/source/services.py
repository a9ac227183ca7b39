"""*Services and edges*: who calls whom, how often, how fast, and what goes wrong."""

from typing import Final

from dashboards.source import metrics, variables
from dashboards.source.board import Board, Section
from dashboards.source.metrics import HOP
from dashboards.source.panels import (
    BURN,
    COUNT,
    FAULTS,
    FAULTS_PERCENT,
    LATENCY,
    LATENCY_MS,
    REQUESTS,
    SECONDS,
    SHARE,
    Column,
    Query,
    figure,
    graph,
    heat_map,
    matrix,
    rows,
    timeline,
)
from dashboards.source.promql import (
    FAULT,
    REFUSAL,
    by,
    milliseconds,
    percent,
    quantile,
    rate,
    rates,
    share,
    shares,
)

_EDGE: Final = (variables.CLIENT, variables.SERVER, variables.TRANSPORT, variables.SIDE)
_INSIDE: Final = (
    variables.CLIENT,
    variables.SERVER,
    variables.TRANSPORT,
    'side=~"server|consumer"',
)
_PAIR: Final = "client, server"
_EDGES: Final = "client, server, transport"
_ENDPOINT: Final = "server, operation"
_LEGEND: Final = "{{client}} → {{server}}"
_ENDS: Final = (variables.CLIENT, variables.SERVER)
_OBJECTIVE: Final = ",".join(_ENDS)
_TIMED: Final = (*_EDGE, 'error_class!="breaker_open"')
"""A call that a breaker refused took no time, and would make the others look faster."""

_NOW: Final = Section(
    "Now",
    [
        figure(
            "Traffic",
            "Hops a second over all chosen edges: requests as their callers saw them, messages as"
            " their consumers did. A sudden fall is often the first sign of trouble upstream.",
            Query(rates("", HOP.count, *_EDGE)),
            unit=REQUESTS,
        ),
        figure(
            "Faults",
            "Share of hops that failed for a reason of the network or the callee. Look at *Faults"
            " by class* for the reason, and at the table of endpoints for the place.",
            Query(shares("", HOP.count, FAULT, *_EDGE)),
            unit=SHARE,
            levels=FAULTS,
        ),
        figure(
            "Refusals",
            "Share of hops that ended with the caller's mistake (client_error), the application's"
            " no (business) or a caller who left (cancelled). A jump after a release means a"
            " client and a server disagree.",
            Query(shares("", HOP.count, REFUSAL, *_EDGE)),
            unit=SHARE,
        ),
        figure(
            "p99",
            "99 of 100 hops are faster. Look at *Pairs* for the slow one, and open a dot of it.",
            Query(quantile(0.99, HOP, "", *_TIMED)),
            unit=SECONDS,
            levels=LATENCY,
        ),
        figure(
            "Edges",
            "Pairs of services with traffic. A new pair is a new dependency.",
            Query(f"count({by(_PAIR, rate(HOP.count, *_EDGE))} > 0)"),
            unit=COUNT,
        ),
        figure(
            "Fastest burn",
            "How many times faster than allowed the worst edge spends its error budget, over one"
            " hour; 1 spends it exactly, 14.4 and more pages. Needs the recording rules.",
            Query(f"max(edge:otel_kit_burn:rate1h{{{_OBJECTIVE}}})"),
            unit=BURN,
            levels=((1.0, "orange"), (14.4, "red")),
        ),
    ],
)
_TRAFFIC: Final = Section(
    "Traffic and saturation",
    [
        timeline(
            "Traffic by service",
            "Requests and messages a second that each service handles.",
            Query(rates("server", HOP.count, *_EDGE), "{{server}}"),
            unit=REQUESTS,
        ),
        timeline(
            "In progress",
            "How many requests and messages each service has in hand at a time, on average (rate"
            " × duration). When it nears the number of workers the service is saturated: callers"
            " begin to wait, then to time out. Add workers, or find what slowed them down.",
            Query(rates("server", HOP.sum, *_INSIDE), "{{server}}"),
            unit=COUNT,
        ),
    ],
)
_ERRORS: Final = Section(
    "Errors",
    [
        timeline(
            "Faults by class",
            "Failed hops a second by error class: timeout and connection point at the network or"
            " a callee that is down, server_error at its code, breaker_open at a callee that was"
            " given up on. docs/telemetry.md explains every class.",
            Query(
                rates("error_class", HOP.count, *_EDGE, FAULT), "{{error_class}}", exemplars=True
            ),
            unit=REQUESTS,
            stacked=True,
        ),
        timeline(
            "Refusals by class",
            "Client errors, business refusals and cancelled calls a second. They are apart from"
            " faults because no repair of the callee makes them go away.",
            Query(rates("error_class", HOP.count, *_EDGE, REFUSAL), "{{error_class}}"),
            unit=REQUESTS,
            stacked=True,
        ),
        rows(
            "Services and endpoints",
            "Every endpoint or topic as its own service measured it. Sort by faults: the topmost"
            " row is where to look, its traces tell why.",
            Column("hops per second", rates(_ENDPOINT, HOP.count, *_INSIDE)),
            Column(
                "faults %", percent(shares(_ENDPOINT, HOP.count, FAULT, *_INSIDE)), FAULTS_PERCENT
            ),
            Column("refusals %", percent(shares(_ENDPOINT, HOP.count, REFUSAL, *_INSIDE))),
            Column("p99 ms", milliseconds(quantile(0.99, HOP, _ENDPOINT, *_INSIDE)), LATENCY_MS),
            sort="faults %",
        ),
    ],
)
_LATENCY: Final = Section(
    "Latency",
    [
        timeline(
            "p50 by pair",
            "Half of the hops are faster. If p99 rises and this does not, a few calls are slow:"
            " one bad instance, a lock, a retry. If both rise, the callee is slow for all.",
            Query(quantile(0.5, HOP, _PAIR, *_TIMED), _LEGEND),
            unit=SECONDS,
        ),
        timeline(
            "p95 by pair",
            "95 of 100 hops are faster. What rises here but not in p50 concerns few callers, as"
            " yet.",
            Query(quantile(0.95, HOP, _PAIR, *_TIMED), _LEGEND),
            unit=SECONDS,
        ),
        timeline(
            "p99 by pair",
            "99 of 100 hops are faster; the dashed lines are half the objective and the objective."
            " Each dot is one sampled hop: click it to open its trace.",
            Query(quantile(0.99, HOP, _PAIR, *_TIMED), _LEGEND, exemplars=True),
            unit=SECONDS,
            levels=LATENCY,
        ),
        heat_map(
            "Durations",
            "All chosen hops by duration. Two bands mean two kinds of calls, such as a cache that"
            " is hit or missed. The dots open traces.",
            Query(rates("le", HOP.bucket, *_TIMED), "{{le}}", exemplars=True),
        ),
        rows(
            "Pairs",
            "Every pair of services with its figures. Sort by what you look for; the topmost row is"
            " where to go on.",
            Column("hops per second", rates(_EDGES, HOP.count, *_EDGE)),
            Column("faults %", percent(shares(_EDGES, HOP.count, FAULT, *_EDGE)), FAULTS_PERCENT),
            Column("p50 ms", milliseconds(quantile(0.5, HOP, _EDGES, *_TIMED))),
            Column("p95 ms", milliseconds(quantile(0.95, HOP, _EDGES, *_TIMED))),
            Column("p99 ms", milliseconds(quantile(0.99, HOP, _EDGES, *_TIMED)), LATENCY_MS),
            sort="p99 ms",
        ),
    ],
)


def _end(label: str, expr: str) -> str:
    """The services at one end of the edges, as nodes."""
    return by("id", f'label_replace({expr}, "id", "$1", "{label}", "(.+)")')


def _nodes() -> str:
    requests = rate(metrics.GRAPH_REQUESTS.series, *_ENDS)
    both = f"{_end('server', requests)} or 0 * {_end('client', requests)}"
    return f'label_replace({both}, "title", "$1", "id", "(.+)")'


def _edges() -> str:
    requests = rates(_PAIR, metrics.GRAPH_REQUESTS.series, *_ENDS)
    source = f'label_replace({requests}, "source", "$1", "client", "(.+)")'
    target = f'label_replace({source}, "target", "$1", "server", "(.+)")'
    return f'label_join({target}, "id", " → ", "client", "server")'


def _graph_share() -> str:
    failed = rates(_PAIR, metrics.GRAPH_FAILED.series, *_ENDS)
    return share(failed, rates(_PAIR, metrics.GRAPH_REQUESTS.series, *_ENDS))


_MAP: Final = Section(
    "Map",
    [
        graph(
            "Services",
            "Who calls whom, and how often a second. An unexpected arrow is one to talk about.",
            nodes=_nodes(),
            edges=_edges(),
            unit=REQUESTS,
        ),
        matrix(
            "p99 by pair",
            "Callers down, callees across. A red row: a caller in trouble; a red column: a callee.",
            quantile(0.99, HOP, _PAIR, *_TIMED),
            row="client",
            column="server",
            unit=SECONDS,
            levels=LATENCY,
        ),
        matrix(
            "Failed by pair",
            "Share of failed requests in the service graph, callers down, callees across.",
            _graph_share(),
            row="client",
            column="server",
            unit=SHARE,
            levels=FAULTS,
            height=8,
        ),
        timeline(
            "Client's and server's view",
            "The p95 of the service graph as clients and as servers measured it, and the wait of"
            " messages between the two. Where the client's is much longer than the server's, the"
            " time is lost on the network or in a queue of connections.",
            Query(quantile(0.95, metrics.GRAPH_CLIENT, "server"), "{{server}} for its clients"),
            Query(quantile(0.95, metrics.GRAPH_SERVER, "server"), "{{server}} itself"),
            Query(quantile(0.95, metrics.GRAPH_MESSAGING, "server"), "waiting for {{server}}"),
            unit=SECONDS,
        ),
    ],
)
_SLO: Final = Section(
    "Objectives (need the recording rules)",
    [
        timeline(
            "Burn rate, 1 h",
            "How many times faster than allowed each edge spends its error budget. Above 14.4 for"
            " an hour, two percent of a month's budget is gone: EdgeErrorBudgetBurnsFast pages.",
            Query(f"edge:otel_kit_burn:rate1h{{{_OBJECTIVE}}}", _LEGEND),
            unit=BURN,
            levels=((1.0, "orange"), (14.4, "red")),
        ),
        timeline(
            "Error budget left, 3 d",
            "Share of three days' error budget that is left; below zero the objective is missed."
            " With little left, put off what is risky.",
            Query(f"edge:otel_kit_budget_left:ratio3d{{{_OBJECTIVE}}}", _LEGEND),
            unit=SHARE,
            bottom=None,
            top=1.0,
        ),
    ],
)

BOARD: Final = Board(
    "services-and-edges",
    "Services and edges",
    "Who calls whom, how often, how fast, and what goes wrong: which pair of services is it?",
    [variables.service(), variables.client(), variables.transport(), variables.side()],
    [_NOW, _TRAFFIC, _ERRORS, _LATENCY, _MAP, _SLO],
)
