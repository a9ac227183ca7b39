"""How long each step took, beside what is usual."""

from collections.abc import Sequence
from dataclasses import dataclass

from otel_kit.explorer.model.quantiles import Spread
from otel_kit.explorer.model.steps import Step
from otel_kit.explorer.model.usual import Usual


@dataclass(frozen=True, slots=True)
class Pace:
    """A step, `took_s` seconds so far or in all; `usual` is None where nothing was learned."""

    step: Step
    took_s: float
    usual: Spread | None

    @property
    def late(self) -> bool:
        """Whether it took, or already takes, longer than 99 % of its kind."""
        return self.usual is not None and self.took_s > self.usual.p99_s


def paces(found: Sequence[Step], usual: Usual | None, now_ns: int) -> tuple[Pace, ...]:
    """One for each step, in the same order; an open one lasts until `now_ns`."""
    learned = usual.durations if usual else {}
    return tuple(
        Pace(
            step,
            max(0, (now_ns if step.ended_ns is None else step.ended_ns) - step.started_ns) / 1e9,
            learned.get(step.name) if step.kind == "action" else None,
        )
        for step in found
    )
