"""*Queues*: how long, how old, and whether it is the queue or the handler."""

from typing import Final

from dashboards.source import metrics, variables
from dashboards.source.board import Board, Section
from dashboards.source.metrics import (
    DEAD_LETTERS,
    DWELL,
    HOP,
    QUEUE_DEPTH,
    QUEUE_LAG,
    QUEUE_LAG_TIME,
)
from dashboards.source.panels import (
    COUNT,
    NOTICE,
    PER_SECOND,
    SECONDS,
    Column,
    Query,
    bars,
    figure,
    heat_map,
    rows,
    timeline,
)
from dashboards.source.promql import by, counted, mean, quantile, rates, select

_QUEUE: Final = "transport, destination, group"
_WATCHED: Final = (variables.TRANSPORT, variables.DESTINATION)
_WAITED: Final = (*_WATCHED, variables.SERVER)
_HANDLED: Final = (variables.TRANSPORT, variables.SERVER, 'side="consumer"')
_PAIR: Final = "client, server, destination"
_LEGEND: Final = "{{destination}} {{group}}"
_AGE: Final = ((60.0, "orange"), (300.0, "red"))
"""Seconds; a message older than five minutes alerts."""


def _messages(series: str) -> str:
    """Each instance of a consumer group sees its share; without a group each sees all of it."""
    parts = select(series, *_WATCHED, 'group!=""')
    whole = select(series, *_WATCHED, 'group=""')
    return f"{by(_QUEUE, parts)} or {by(_QUEUE, whole, 'max')}"


def _depth() -> str:
    return _messages(QUEUE_DEPTH.series)


def _lag() -> str:
    return _messages(QUEUE_LAG.series)


def _age() -> str:
    return by(_QUEUE, select(QUEUE_LAG_TIME.series, *_WATCHED), "max")


def _drain() -> str:
    """Seconds until a shrinking queue is empty: lag over the rate at which it falls."""
    where = ",".join(_WATCHED)
    lag = f"queue:otel_kit_lag:messages{{{where}}}"
    falling = f"queue:otel_kit_lag:deriv10m{{{where}}} < 0"
    return f"({lag} > 0) / -({falling}) or {lag} == 0"


def _by_destination(verb: str) -> str:
    """Messages a second by destination, which hops carry in their operation."""
    side = "producer" if verb == "send" else "consumer"
    hops = rates("transport, operation", HOP.count, variables.TRANSPORT, f'side="{side}"')
    named = f'label_replace({hops}, "destination", "$1", "operation", "{verb} (.+)")'
    return by("destination", named)


def _handled(expr: str) -> str:
    return f'label_replace({expr}, "destination", "$1", "operation", "process (.+)")'


_NOW: Final = Section(
    "Now",
    [
        figure(
            "Most behind",
            "The largest number of messages that a consumer group has still to handle. *Queues*"
            " says which; if it grows, add consumers or speed up the handler.",
            Query(f"max({_lag()})"),
            unit=COUNT,
        ),
        figure(
            "Oldest message",
            "How old the oldest unhandled message of any queue is; zero when all are idle. It"
            " grows by one a second when a consumer stands still.",
            Query(f"max({_age()})"),
            unit=SECONDS,
            levels=_AGE,
        ),
        figure(
            "Deepest queue",
            "The largest number of messages held in a queue. It rises before anything is late.",
            Query(f"max({_depth()})"),
            unit=COUNT,
        ),
        figure(
            "Longest drain",
            "When the slowest of the shrinking queues will be empty at its present pace. A queue"
            " that grows has no forecast: see *Lag*.",
            Query(f"max({_drain()})"),
            unit=SECONDS,
            none="growing",
        ),
        figure(
            "p99 wait",
            "99 of 100 messages waited less from being sent to being handled. See *Waits by pair*.",
            Query(quantile(0.99, DWELL, "", *_WAITED)),
            unit=SECONDS,
            levels=_AGE,
        ),
        figure(
            "Dead letters",
            "Messages put aside in the chosen time. Each is work that did not happen: read its"
            " reason, repair, and send it again.",
            Query(f"sum({counted(DEAD_LETTERS.series, variables.DESTINATION)})"),
            unit=COUNT,
            levels=NOTICE,
            none="none",
        ),
    ],
)
_BACKLOG: Final = Section(
    "Backlog",
    [
        timeline(
            "Lag",
            "Messages sent but not yet handled, per consumer group. A steady rise means that the"
            " consumers cannot keep up: add some, or find what slowed them down.",
            Query(_lag(), _LEGEND),
            unit=COUNT,
        ),
        timeline(
            "Age of the oldest message",
            "The same in seconds, which is what a customer feels. A straight line upward is a"
            " consumer that stands still.",
            Query(_age(), _LEGEND),
            unit=SECONDS,
            levels=_AGE,
        ),
        timeline(
            "Depth",
            "Messages held, as the queue itself says. An early warning: it rises before anything"
            " is late.",
            Query(_depth(), _LEGEND),
            unit=COUNT,
        ),
        timeline(
            "Time to drain",
            "When each shrinking queue will be empty at its present pace (over ten minutes). A"
            " queue without a line is growing. Needs the recording rules.",
            Query(_drain(), _LEGEND),
            unit=SECONDS,
        ),
        timeline(
            "Sent and handled",
            "Messages a second into and out of each destination. Where handled stays below sent,"
            " lag grows.",
            Query(_by_destination("send"), "{{destination}} sent"),
            Query(_by_destination("process"), "{{destination}} handled"),
            unit=PER_SECOND,
        ),
        rows(
            "Queues",
            "Every queue with its figures. The topmost row is the one to look after first.",
            Column("lag", _lag()),
            Column("oldest s", _age(), _AGE),
            Column("depth", _depth()),
            sort="oldest s",
            width=12,
            height=8,
        ),
    ],
)
_WAIT: Final = Section(
    "Waiting against handling",
    [
        timeline(
            "p95 wait",
            "How long messages waited before somebody took them. If it rises alone, there are too"
            " few consumers.",
            Query(
                quantile(0.95, DWELL, "destination", *_WAITED), "{{destination}}", exemplars=True
            ),
            unit=SECONDS,
        ),
        timeline(
            "p95 handling",
            "How long the handlers took. High here and low at the left: the handler is slow. The"
            " other way round: too few consumers.",
            Query(
                _handled(quantile(0.95, HOP, "operation", *_HANDLED)),
                "{{destination}}",
                exemplars=True,
            ),
            unit=SECONDS,
        ),
        timeline(
            "Mean wait and handling",
            "Where the time of a message goes: waiting and handling, one upon the other.",
            Query(mean(DWELL, "destination", *_WAITED), "{{destination}} waiting"),
            Query(_handled(mean(HOP, "operation", *_HANDLED)), "{{destination}} handling"),
            unit=SECONDS,
            stacked=True,
        ),
        heat_map(
            "Waits",
            "All messages by how long they waited; the dots open traces. Two bands: two kinds of"
            " work share a queue, and the slow one may hold up the other.",
            Query(rates("le", DWELL.bucket, *_WAITED), "{{le}}", exemplars=True),
        ),
        rows(
            "Waits by pair",
            "From whom to whom messages wait longest: the topmost row is the consumer to look at.",
            Column("p50 s", quantile(0.5, DWELL, _PAIR, *_WAITED)),
            Column("p95 s", quantile(0.95, DWELL, _PAIR, *_WAITED)),
            Column("p99 s", quantile(0.99, DWELL, _PAIR, *_WAITED), _AGE),
            sort="p99 s",
            width=12,
            height=8,
        ),
        bars(
            "Clocks that disagree",
            "Messages that seem to have arrived before they were sent, in the chosen time; their"
            " wait counts as zero. Set the clocks of the two machines.",
            Query(
                by("client, server", counted(metrics.CLOCK_SKEW.series, *_WAITED)),
                "{{client}} → {{server}}",
            ),
            unit=COUNT,
            levels=NOTICE,
        ),
    ],
)

BOARD: Final = Board(
    "queues",
    "Queues",
    "Is it the queue or the handler, how far behind are we, and when have we caught up?",
    [variables.service(), variables.transport(), variables.destination()],
    [_NOW, _BACKLOG, _WAIT],
)
