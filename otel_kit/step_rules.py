"""What store and explorer must see alike: a step's attempts, and which steps a row names."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from otel_kit.records import StepRecord

MAX_STEPS: Final = 50
"""Steps in the row of a saga: the latest."""


class Attempt(Protocol):
    """One begin of a step."""

    @property
    def identity(self) -> Hashable:
        """The step's name, its kind, and what it compensates."""
        ...

    @property
    def started_ns(self) -> int:
        """When it began."""
        ...

    @property
    def failed_ns(self) -> int | None:
        """When it ended in an error; None if it succeeded or has not ended."""
        ...


A = TypeVar("A", bound=Attempt)


def grouped(attempts: Iterable[A]) -> list[list[A]]:
    """The attempts of each step, by start; the steps by the start of their first.

    What begins after the latest of its identity has failed tries that again; all else is a step of
    its own, also when it repeats one that had succeeded.
    """
    latest: dict[Hashable, list[A]] = {}
    found: list[list[A]] = []
    for attempt in sorted(attempts, key=lambda each: each.started_ns):
        group = latest.get(attempt.identity)
        failed_ns = group[-1].failed_ns if group else None
        if group is None or failed_ns is None or failed_ns > attempt.started_ns:
            group = latest[attempt.identity] = []
            found.append(group)
        group.append(attempt)
    return found


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
