"""One saga against another, or against the healthy median of its kind, aligned by step."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal, TypeAlias

from otel_kit.explorer.model import facts, waits, words
from otel_kit.explorer.model.steps import steps
from otel_kit.explorer.model.story import Story

What = Literal["saga", "step", "compensation", "queue", "call"]
Change = Literal["longer", "shorter", "alike", "extra", "missing"]
Item: TypeAlias = tuple[What, str]

_RATIO: Final = 1.25
_LEAST_S: Final = 0.005
"""Differences under 25 % or 5 ms are not worth a colour."""
_ORDER: Final[dict[What, int]] = {"saga": 0, "step": 1, "compensation": 2, "queue": 3, "call": 4}


@dataclass(frozen=True, slots=True)
class Measure:
    """Seconds spent on an item in one saga, and how often it was tried, sent or called."""

    seconds: float
    times: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One item side by side; `mine` or `other` is None where it does not occur."""

    what: What
    name: str
    mine: Measure | None
    other: Measure | None
    change: Change

    @property
    def more_s(self) -> float:
        """Seconds more than in the other; negative if less."""
        return (self.mine.seconds if self.mine else 0) - (self.other.seconds if self.other else 0)

    @property
    def more_times(self) -> float:
        """How many times more than in the other."""
        return (self.mine.times if self.mine else 0) - (self.other.times if self.other else 0)


Profile: TypeAlias = Mapping[Item, Measure]


def profile(story: Story) -> Profile:
    """The whole saga, its steps, the waits by queue, and the calls by pair of services."""
    found: defaultdict[Item, list[Measure]] = defaultdict(list)
    for item, measure in _measures(story):
        found[item].append(measure)
    return {
        item: Measure(sum(m.seconds for m in each), sum(m.times for m in each))
        for item, each in found.items()
    }


def healthy(stories: Sequence[Story]) -> Profile:
    """The median profile: what at least half of the sagas have."""
    profiles = [profile(story) for story in stories]
    found = {}
    for item in dict.fromkeys(item for each in profiles for item in each):
        having = [each[item] for each in profiles if item in each]
        if len(having) * 2 >= len(profiles):
            found[item] = Measure(
                median(measure.seconds for measure in having),
                median(measure.times for measure in having),
            )
    return found


def compare(mine: Profile, other: Profile) -> tuple[Difference, ...]:
    """Every item of either; the saga first, then steps, queues and calls by largest difference."""
    found = [_difference(item, mine, other) for item in dict.fromkeys([*mine, *other])]
    return tuple(sorted(found, key=lambda d: (_ORDER[d.what], -abs(d.more_s), d.name)))


def sentence(differences: Sequence[Difference], most: int = 3) -> str:
    """The largest differences in words; empty if all is alike."""
    telling = [d for d in differences if d.change != "alike" and d.what != "saga"]
    telling.sort(key=lambda d: -abs(d.more_s))
    return words.listed([_clause(difference) for difference in telling[:most]])


def _measures(story: Story) -> Iterator[tuple[Item, Measure]]:
    yield ("saga", ""), Measure(story.duration_ns / 1e9, 1)
    for step in steps(story):
        lasted = ((step.ended_ns or story.ended_ns) - step.started_ns) / 1e9
        what: What = "compensation" if step.kind == "compensation" else "step"
        name = step.name if step.number == 1 else f"{step.name} #{step.number}"
        yield (what, name), Measure(max(0.0, lasted), step.attempts)
    for span in story.spans.values():
        wait = waits.dwell(story, span) if span.kind == "consumer" else None
        if wait is not None:
            name = facts.destination(span) or span.name
            yield ("queue", name), Measure((wait.taken_ns - wait.sent_ns) / 1e9, 1)
        elif span.kind == "client":
            yield ("call", f"{span.service} → {facts.peer(span)}"), Measure(span.duration_s, 1)


def _difference(item: Item, mine: Profile, other: Profile) -> Difference:
    here, there = mine.get(item), other.get(item)
    return Difference(*item, here, there, _change(here, there))


def _change(here: Measure | None, there: Measure | None) -> Change:
    if there is None:
        return "extra"
    if here is None:
        return "missing"
    more = here.seconds - there.seconds
    if more > _LEAST_S and here.seconds > there.seconds * _RATIO:
        return "longer"
    if -more > _LEAST_S and there.seconds > here.seconds * _RATIO:
        return "shorter"
    return (
        "alike"
        if here.times == there.times
        else ("extra" if here.times > there.times else "missing")
    )


_THINGS: Final[dict[What, str]] = {
    "saga": "saga",
    "step": "attempt",
    "compensation": "attempt",
    "queue": "message",
    "call": "call",
}


def _clause(difference: Difference) -> str:
    name = f"`{difference.name}`"
    if difference.mine is None or difference.other is None:
        more = "only here" if difference.other is None else "not here"
        return f"{name} {more} ({words.duration(abs(difference.more_s))})"
    time = words.duration(abs(difference.more_s))
    where = "waiting in" if difference.what == "queue" else "in"
    clause = f"{time} {'more' if difference.more_s >= 0 else 'less'} {where} {name}"
    if (times := difference.more_times) >= 1:
        thing = _THINGS[difference.what]
        clause += f" ({words.count(times, f'extra {thing}')})"
    return clause
