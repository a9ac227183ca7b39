"""What is usual for sagas of one name, learned from finished ones: times of steps, waits, order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from otel_kit.explorer.model import facts, waits
from otel_kit.explorer.model.quantiles import Spread, spread
from otel_kit.explorer.model.steps import Step, steps
from otel_kit.explorer.model.story import Story

FINISH: Final = ""
"""In place of a step's name: the end of the saga."""


@dataclass(frozen=True, slots=True)
class Next:
    """What usually follows a step: `step` in `share` (0 to 1) of the cases, after `wait`.

    `wait` is the time from the end of the step to the start of the next, or to the saga's end.
    """

    step: str
    share: float
    wait: Spread


@dataclass(frozen=True, slots=True)
class Usual:
    """Learned from `sagas` finished sagas.

    `durations` by step; `queues` by destination, from sending to handling, and `consumers` the
    services that handled them; `following` by step (`FINISH` for the saga's begin), likeliest
    first; `total` is the whole saga.
    """

    sagas: int
    durations: Mapping[str, Spread]
    queues: Mapping[str, Spread]
    consumers: Mapping[str, str]
    services: Mapping[str, str]
    following: Mapping[str, tuple[Next, ...]]
    total: Spread | None


@dataclass(slots=True)
class _Seen:
    """Seconds by what they were spent on."""

    durations: defaultdict[str, list[float]]
    queues: defaultdict[str, list[float]]
    following: defaultdict[str, defaultdict[str, list[float]]]
    consumers: dict[str, str]
    services: dict[str, str]


def learn(stories: Iterable[Story], besides: str = "") -> Usual:
    """What is usual, by finished sagas of one name; give healthy ones.

    The saga with the id `besides` is left out: nothing is judged by itself.
    """
    seen = _Seen(
        defaultdict(list), defaultdict(list), defaultdict(lambda: defaultdict(list)), {}, {}
    )
    totals = []
    for story in (each for each in stories if each.saga.id != besides):
        totals.append(story.duration_ns / 1e9)
        _see_steps(story, seen)
        _see_queues(story, seen)
    return Usual(
        sagas=len(totals),
        durations=_spreads(seen.durations),
        queues=_spreads(seen.queues),
        consumers=seen.consumers,
        services=seen.services,
        following={step: _ranked(after) for step, after in seen.following.items()},
        total=spread(totals),
    )


def _see_steps(story: Story, seen: _Seen) -> None:
    found = [step for step in steps(story) if step.kind == "action" and step.ended_ns is not None]
    for step in found:
        if step.duration_s is not None:
            seen.durations[step.name].append(step.duration_s)
            seen.services[step.name] = step.service
    for before, after, wait_s in _transitions(story, found):
        seen.following[before][after].append(wait_s)


def _transitions(story: Story, found: list[Step]) -> Iterator[tuple[str, str, float]]:
    name, ended = FINISH, story.started_ns
    for step in found:
        yield name, step.name, max(0, step.started_ns - ended) / 1e9
        name, ended = step.name, step.ended_ns or step.started_ns
    yield name, FINISH, max(0, story.ended_ns - ended) / 1e9


def _see_queues(story: Story, seen: _Seen) -> None:
    for span in story.spans.values():
        queue = facts.destination(span)
        wait = waits.dwell(story, span) if span.kind == "consumer" and queue else None
        if wait is not None:
            seen.queues[queue].append((wait.taken_ns - wait.sent_ns) / 1e9)
            seen.consumers[queue] = span.service


def _spreads(seen: Mapping[str, list[float]]) -> dict[str, Spread]:
    return {name: found for name, each in seen.items() if (found := spread(each)) is not None}


def _ranked(after: Mapping[str, list[float]]) -> tuple[Next, ...]:
    counts = Counter({name: len(each) for name, each in after.items()})
    waited = _spreads(after)
    total = counts.total()
    return tuple(Next(name, n / total, waited[name]) for name, n in counts.most_common())
