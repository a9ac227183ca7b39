"""*Breakers and retries*: what gives way when a dependency does not answer."""

from typing import Final

from dashboards.source import metrics, variables
from dashboards.source.board import Board, Section
from dashboards.source.metrics import BREAKER_STATE, BREAKER_TIME, DEAD_LETTERS, HOP, RETRIES
from dashboards.source.panels import (
    COUNT,
    NOTICE,
    PER_SECOND,
    SHARE,
    Column,
    Query,
    bars,
    figure,
    rows,
    states,
    timeline,
)
from dashboards.source.promql import by, counted, percent, rates, select, share

_BREAKER: Final = "name, server"
_OPEN: Final = ((0.01, "orange"), (0.5, "red"))
"""Share of the time."""
_OPEN_PERCENT: Final = ((1.0, "orange"), (50.0, "red"))
_FAILED: Final = 'error_class=~".+"'


def _open() -> str:
    """1 where it is open in any instance, else 0."""
    return by(_BREAKER, select(BREAKER_STATE.series, variables.SERVER, 'state="open"'), "max")


def _state() -> str:
    """0 closed, 1 half open, 2 open; the worst of all instances."""
    trying = by(
        _BREAKER, select(BREAKER_STATE.series, variables.SERVER, 'state="half_open"'), "max"
    )
    closed = by(_BREAKER, select(BREAKER_STATE.series, variables.SERVER), "max")
    return f"2 * ({_open()} == 1) or ({trying} == 1) or 0 * {closed}"


def _time_in(state: str) -> str:
    where = (variables.SERVER, f'state="{state}"')
    whole = rates(_BREAKER, BREAKER_TIME.series, variables.SERVER)
    return share(rates(_BREAKER, BREAKER_TIME.series, *where), whole)


def _changed() -> str:
    return by(_BREAKER, select(metrics.BREAKER_CHANGED.series, variables.SERVER), "max")


def _openings() -> str:
    return counted(metrics.BREAKER_TRANSITIONS.series, variables.SERVER, 'to="open"')


def _by_end(metric: str, labels: str) -> str:
    return by(labels, counted(metric, variables.DESTINATION))


_NOW: Final = Section(
    "Now",
    [
        figure(
            "Open breakers",
            "Circuit breakers that refuse calls at this moment. Repair the dependency; the breaker"
            " closes by itself.",
            Query(f"sum({_open()})"),
            unit=COUNT,
            levels=((1.0, "red"),),
            none="no breaker",
        ),
        figure(
            "Openings",
            "How often a breaker opened in the chosen time, also for less than a scrape.",
            Query(f"sum({_openings()})"),
            unit=COUNT,
            levels=NOTICE,
            none="none",
        ),
        figure(
            "Refused calls",
            "Calls a second that an open breaker answered in place of the dependency.",
            Query(rates("", metrics.BREAKER_REJECTED.series, variables.SERVER)),
            unit=PER_SECOND,
            levels=NOTICE,
            none="none",
        ),
        figure(
            "Retries",
            "Attempts a second of calls that are retried.",
            Query(rates("", RETRIES.series, variables.SERVER)),
            unit=PER_SECOND,
            none="none",
        ),
        figure(
            "Dead letters",
            "Messages put aside in the chosen time. Read the reason, repair, send them again.",
            Query(f"sum({counted(DEAD_LETTERS.series, variables.DESTINATION)})"),
            unit=COUNT,
            levels=NOTICE,
            none="none",
        ),
        figure(
            "Duplicates",
            "Messages skipped in the chosen time because they had been handled before. Some are"
            " normal where delivery is at least once; many mean that somebody sends twice.",
            Query(f"sum({counted(metrics.DUPLICATES.series, variables.DESTINATION)})"),
            unit=COUNT,
            none="none",
        ),
    ],
)
_BREAKERS: Final = Section(
    "Circuit breakers",
    [
        states(
            "State",
            "Every breaker over time; with several instances the worst of them. Half open means"
            " that it lets a few calls through to see whether the dependency is back.",
            Query(_state(), "{{name}} → {{server}}"),
            names=(("closed", "green"), ("half open", "orange"), ("open", "red")),
        ),
        timeline(
            "Time open",
            "Share of the time that a breaker was open or half open, exact also when it opens and"
            " closes between two scrapes. At 100 % nothing reaches the dependency.",
            Query(_time_in("open"), "{{name}} → {{server}} open"),
            Query(_time_in("half_open"), "{{name}} → {{server}} half open"),
            unit=SHARE,
            levels=_OPEN,
            top=1.0,
        ),
        timeline(
            "Transitions",
            "Changes of state a second. A breaker that flips has a threshold too near to what is"
            " normal, or a dependency that is half ill.",
            Query(
                rates("name, from, to", metrics.BREAKER_TRANSITIONS.series, variables.SERVER),
                "{{name}}: {{from}} → {{to}}",
            ),
            unit=PER_SECOND,
        ),
        timeline(
            "Refused calls",
            "Calls a second that an open breaker refused, by the dependency spared.",
            Query(
                rates(_BREAKER, metrics.BREAKER_REJECTED.series, variables.SERVER),
                "{{name}} → {{server}}",
            ),
            unit=PER_SECOND,
        ),
        timeline(
            "Fate of calls to guarded services",
            "Hops a second by error class, as their callers saw them: a breaker trades slow"
            " failures (timeout, unavailable) for fast ones (breaker_open).",
            Query(
                rates("server, error_class", HOP.count, variables.SERVER, 'side="client"', _FAILED),
                "{{server}} {{error_class}}",
            ),
            unit=PER_SECOND,
            stacked=True,
        ),
        rows(
            "Breakers",
            "How long each breaker has been in its state, and how much of the last minutes it was"
            " open. One that has been open for long guards a dependency that nobody repairs.",
            Column("seconds in this state", f"time() - {_changed()}"),
            Column("open %", percent(_time_in("open")), _OPEN_PERCENT),
            sort="open %",
            height=6,
        ),
    ],
)
_RETRIES: Final = Section(
    "Retries, dead letters and duplicates",
    [
        timeline(
            "Attempts by outcome",
            "Attempts a second of calls that are retried. Many that do not succeed are a load the"
            " dependency could do without: lengthen the back-off, or let a breaker open.",
            Query(
                rates("server, outcome", RETRIES.series, variables.SERVER),
                "{{server}} {{outcome}}",
            ),
            unit=PER_SECOND,
            stacked=True,
        ),
        rows(
            "Attempts by operation",
            "Which calls are retried, and how they end, in the chosen time.",
            Column(
                "attempts",
                by("server, operation, outcome", counted(RETRIES.series, variables.SERVER)),
            ),
            sort="attempts",
            width=12,
            height=8,
        ),
        bars(
            "Dead letters by cause",
            "Messages put aside in the chosen time, by where they were and why. serialization is"
            " a message nobody can read; others may succeed when sent again.",
            Query(
                _by_end(DEAD_LETTERS.series, "destination, error_class"),
                "{{destination}} {{error_class}}",
            ),
            unit=COUNT,
            levels=NOTICE,
        ),
        bars(
            "Duplicates by destination",
            "Messages skipped in the chosen time because they had been handled before.",
            Query(_by_end(metrics.DUPLICATES.series, "destination"), "{{destination}}"),
            unit=COUNT,
        ),
    ],
)

BOARD: Final = Board(
    "breakers-and-retries",
    "Breakers and retries",
    "What gives way when a dependency fails: breakers, retries, dead letters, duplicates.",
    [variables.service(), variables.destination()],
    [_NOW, _BREAKERS, _RETRIES],
)
