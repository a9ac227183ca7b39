"""*Sagas*: how many begin, how they end, how long they take, and whether some never end."""

from typing import Final

from dashboards.source import variables
from dashboards.source.board import Board, Section
from dashboards.source.metrics import SAGA_DURATION, SAGA_FINISHED, SAGA_STARTED
from dashboards.source.panels import (
    COUNT,
    NOTICE,
    PER_SECOND,
    SECONDS,
    SHARE,
    Column,
    Query,
    figure,
    heat_map,
    rows,
    timeline,
)
from dashboards.source.promql import by, counted, quantile, rates, share

_RUNNING: Final = f"saga:otel_kit_running:count{{{variables.SAGA}}}"
_STUCK: Final = f"saga:otel_kit_stuck:count{{{variables.SAGA}}}"
_COMPLETED: Final = 'outcome="completed"'
_HALF_DONE: Final = 'outcome=~"failed|partially_compensated"'
_AT_LEAST: Final = ((-1.0, "red"), (0.95, "orange"), (0.99, "green"))


def _ended(labels: str, *where: str) -> str:
    return by(labels, counted(SAGA_FINISHED.series, variables.SAGA, *where))


def _completed(labels: str) -> str:
    return share(_ended(labels, _COMPLETED), _ended(labels))


_NOW: Final = Section(
    "Now",
    [
        figure(
            "Begun",
            "Sagas begun a second. If it falls while traffic does not, nobody gets as far as a"
            " saga.",
            Query(rates("", SAGA_STARTED.series, variables.SAGA)),
            unit=PER_SECOND,
        ),
        figure(
            "Completed",
            "Share of the sagas ended in the chosen time that did what they were begun for.",
            Query(_completed("")),
            unit=SHARE,
            levels=_AT_LEAST,
        ),
        figure(
            "Left half done",
            "Sagas in the chosen time that failed, or whose compensation did: something was done"
            " and not undone. Each needs a person: find it by its id in the explorer.",
            Query(f"sum({counted(SAGA_FINISHED.series, variables.SAGA, _HALF_DONE)})"),
            unit=COUNT,
            levels=NOTICE,
            none="none",
        ),
        figure(
            "p95 duration",
            "95 of 100 sagas end sooner. If it rises, open a slow one from the dots under"
            " *Duration*.",
            Query(quantile(0.95, SAGA_DURATION, "", variables.SAGA)),
            unit=SECONDS,
        ),
        figure(
            "Running",
            "Sagas begun in the last six hours that have not ended. Needs the recording rules.",
            Query(f"sum({_RUNNING})"),
            unit=COUNT,
        ),
        figure(
            "Stuck",
            "Running sagas beyond what the usual duration explains (three times rate × mean"
            " duration). If it stays above zero some will not end by themselves: `/api/sagas?"
            "state=stuck` and the explorer name them. Needs the recording rules.",
            Query(f"sum({_STUCK})"),
            unit=COUNT,
            levels=NOTICE,
        ),
    ],
)
_FLOW: Final = Section(
    "Flow",
    [
        timeline(
            "Begun and ended",
            "Sagas a second. Where ended stays below begun, sagas pile up.",
            Query(rates("name", SAGA_STARTED.series, variables.SAGA), "{{name}} begun"),
            Query(rates("name", SAGA_FINISHED.series, variables.SAGA), "{{name}} ended"),
            unit=PER_SECOND,
        ),
        timeline(
            "Outcomes",
            "Sagas ended a second by outcome. compensated: failed and cleanly undone.",
            Query(
                rates("name, outcome", SAGA_FINISHED.series, variables.SAGA), "{{name}} {{outcome}}"
            ),
            unit=PER_SECOND,
            stacked=True,
        ),
        timeline(
            "Running and stuck",
            "Running sagas, and those beyond what the usual duration explains. Running may rise"
            " with traffic; if stuck stays above zero, see docs/runbook.md#sagastuck.",
            Query(_RUNNING, "{{name}} running"),
            Query(_STUCK, "{{name}} stuck"),
            unit=COUNT,
        ),
        rows(
            "Kinds of sagas",
            "How each kind of saga ended in the chosen time. Many compensated: look at the step"
            " that fails before them, in the explorer.",
            Column("ended", _ended("name, outcome")),
            Column("p95 s", quantile(0.95, SAGA_DURATION, "name, outcome", variables.SAGA)),
            sort="ended",
            width=12,
            height=8,
        ),
    ],
)
_TIME: Final = Section(
    "Duration",
    [
        timeline(
            "Duration",
            "From the start of a saga to its end, by kind. The dots open slow ones: the longest"
            " span, or the longest gap between two, is what to shorten.",
            Query(quantile(0.5, SAGA_DURATION, "name", variables.SAGA), "{{name}} p50"),
            Query(quantile(0.95, SAGA_DURATION, "name", variables.SAGA), "{{name}} p95"),
            Query(
                quantile(0.99, SAGA_DURATION, "name", variables.SAGA),
                "{{name}} p99",
                exemplars=True,
            ),
            unit=SECONDS,
        ),
        heat_map(
            "Durations",
            "All sagas by duration; the dots open a trace of the saga.",
            Query(rates("le", SAGA_DURATION.bucket, variables.SAGA), "{{le}}", exemplars=True),
        ),
    ],
)

BOARD: Final = Board(
    "sagas",
    "Sagas",
    "How many begin, how they end, how long they take, and whether some never end.",
    [variables.saga()],
    [_NOW, _FLOW, _TIME],
)
