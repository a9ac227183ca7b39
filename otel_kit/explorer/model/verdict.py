"""Everything concluded about one saga, in one value: what the saga page and the bundle show."""

from collections.abc import Sequence
from dataclasses import dataclass

from otel_kit.explorer.model.critical_path import CriticalPath, critical_path
from otel_kit.explorer.model.ledger import Ledger, ledger
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.state import STUCK_AFTER_S, State, state
from otel_kit.explorer.model.steps import Step, steps
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.stuck import Awaited, awaited
from otel_kit.explorer.model.usual import Usual


@dataclass(frozen=True, slots=True)
class Verdict:
    """State, steps, ledger, critical path and, of an unfinished saga, what it waits for."""

    state: State
    steps: tuple[Step, ...]
    ledger: Ledger
    path: CriticalPath
    awaited: Awaited | None
    usual: Usual | None
    around: Surroundings


def judge(
    story: Story,
    now_ns: int,
    usual: Usual | None = None,
    around: Surroundings | None = None,
    stuck_after_s: float = STUCK_AFTER_S,
) -> Verdict:
    """Conclude all there is to conclude about a saga, as of `now_ns`.

    A saga also counts as stuck when what it waits for takes over ten times its usual p99, and
    does not when even its silence is usual.
    """
    found = steps(story)
    around = around or Surroundings()
    waiting = awaited(story, found, now_ns, usual, around)
    return Verdict(
        state=_state(story, found, now_ns, stuck_after_s, waiting),
        steps=found,
        ledger=ledger(found, state(story, found, now_ns, stuck_after_s)),
        path=critical_path(story),
        awaited=waiting,
        usual=usual,
        around=around,
    )


def _state(
    story: Story, found: Sequence[Step], now_ns: int, stuck_after_s: float, waiting: Awaited | None
) -> State:
    plain = state(story, found, now_ns, stuck_after_s)
    if plain not in ("running", "stuck") or waiting is None or waiting.usual is None:
        return plain
    if plain == "stuck" and not waiting.overdue:
        return "running"
    far = waiting.waited_s > max(10 * waiting.usual.p99_s, 1.0)
    return "stuck" if far else plain
