"""What store and explorer must see alike: a step's attempts, and which steps a row names."""

import math
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar

from otel_kit.records import StepRecord

MAX_STEPS: Final = 50
"""Steps in the row of a saga: the latest."""


class Attempt(Protocol):
    """One begin of a step."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """The step's name, its kind, and what it compensates."""
        ...

    @property
    def started_ns(self) -> int:
        """When it began."""
        ...

    @property
    def ended_ns(self) -> int | None:
        """When it ended; None if no end of it is known."""
        ...

    @property
    def failed(self) -> bool:
        """Whether it ended in an error."""
        ...


A = TypeVar("A", bound=Attempt)


def grouped(attempts: Iterable[A]) -> list[list[A]]:
    """The attempts of each step, by start; the steps by the start of their first.

    What begins after the latest of its identity has failed tries that again; all else is a step of
    its own, also when it repeats one that had succeeded.
    """
    latest: dict[tuple[str, str, str], list[A]] = {}
    found: list[list[A]] = []
    for attempt in sorted(attempts, key=_place):
        group = latest.get(attempt.identity)
        if group is None or not _again(attempt, group[-1]):
            group = latest[attempt.identity] = []
            found.append(group)
        group.append(attempt)
    return found


def _again(attempt: Attempt, before: Attempt) -> bool:
    return before.failed and before.ended_ns is not None and before.ended_ns <= attempt.started_ns


def _place(attempt: Attempt) -> tuple[int, float, bool, tuple[str, str, str]]:
    """By start; the rest makes the order the same for whoever reads the same attempts."""
    ended = math.inf if attempt.ended_ns is None else attempt.ended_ns
    return attempt.started_ns, ended, not attempt.failed, attempt.identity


def step_now(steps: Sequence[StepRecord], finished: bool) -> str | None:
    """The latest step that is open, in a saga that has not finished; else the latest."""
    in_progress = [] if finished else [step for step in steps if step.result == "open"]
    latest = max(in_progress or steps, key=lambda step: step.started_ns, default=None)
    return None if latest is None else latest.name


def failed_step(steps: Sequence[StepRecord]) -> str | None:
    """The last step that ended in an error, however often it was tried."""
    failed = [step for step in steps if step.result == "error"]
    latest = max(failed, key=lambda step: step.ended_ns or 0, default=None)
    return None if latest is None else latest.name
