"""What tenacity and stamina, which is made of it, share: where an attempt begins and ends.

`iter` decides before and after each attempt what comes next, for every form of retrying.  Where the
attempt is a function that tenacity calls, it begins when `iter` says so; where it is a `with` block
of the application's, it begins with the block.  Not by callbacks: those are the application's.
"""

from _thread import start_new_thread
from collections.abc import Callable
from typing import Any
from weakref import finalize

import tenacity

from otel_kit._identity import IdentityMap
from otel_kit.integrations._shape import Integration
from otel_kit.retries import RetriedCall

Mine = Callable[[tenacity.RetryCallState], str | None]
"""The operation that a call retries, None if it is another integration's call."""


class Retries:
    """The retried calls that are under way, by tenacity's state of each.

    `ends_by_return` tells of such a state whether an attempt that returns is the last in any case.
    """

    def __init__(
        self,
        integration: Integration,
        mine: Mine,
        ends_by_return: Callable[[tenacity.RetryCallState], bool],
    ) -> None:
        self._guarded = integration._guarded
        self._mine = mine
        self._ends_by_return = ends_by_return
        self._calls: IdentityMap[RetriedCall] = IdentityMap()
        integration.wraps("tenacity:BaseRetrying.iter")(self._decided)
        integration.wraps("tenacity.asyncio:AsyncRetrying.iter")(self._decided_async)
        integration.wraps("tenacity:AttemptManager.__enter__")(self._entered)
        if hasattr(tenacity.AttemptManager, "__aenter__"):  # not in all versions
            integration.wraps("tenacity:AttemptManager.__aenter__")(self._entered)
        integration.wraps("tenacity:RetryCallState.set_result")(self._returned)
        integration.wraps("tenacity:RetryCallState.set_exception")(self._raised)

    # -- the wrappers -------------------------------------------------------------------------

    def _decided(self, wrapped: Any, retrying: Any, args: Any, kwargs: Any) -> Any:
        state = _retry_state(*args, **kwargs)
        try:
            decision = wrapped(*args, **kwargs)
        except BaseException as error:
            self._guarded(self._over, state, error)
            raise
        self._guarded(self._goes_on, state, decision)
        return decision

    async def _decided_async(self, wrapped: Any, retrying: Any, args: Any, kwargs: Any) -> Any:
        state = _retry_state(*args, **kwargs)
        try:
            decision = await wrapped(*args, **kwargs)
        except BaseException as error:
            self._guarded(self._over, state, error)
            raise
        self._guarded(self._goes_on, state, decision)
        return decision

    def _entered(self, wrapped: Any, manager: Any, args: Any, kwargs: Any) -> Any:
        self._guarded(self._begin, manager.retry_state)
        return wrapped(*args, **kwargs)

    def _returned(self, wrapped: Any, state: Any, args: Any, kwargs: Any) -> Any:
        self._guarded(self._ended, state, None)
        return wrapped(*args, **kwargs)

    def _raised(self, wrapped: Any, state: Any, args: Any, kwargs: Any) -> Any:
        _, error, _ = args[0] if args else kwargs["exc_info"]
        self._guarded(self._ended, state, error)
        return wrapped(*args, **kwargs)

    # -- what they say ------------------------------------------------------------------------

    def _begin(self, state: Any) -> None:
        operation = self._mine(state)
        if operation is None or not getattr(state.retry_object, "enabled", True):
            return
        if (call := self._calls.get(state)) is None:
            call = RetriedCall(operation)
            self._calls.set(state, call)
            if state.fn is None:
                finalize(state, _dropped, call).atexit = False
        call.begin(state.attempt_number)

    def _ended(self, state: Any, error: BaseException | None) -> None:
        if (call := self._calls.get(state)) is not None:
            call.ended(error)
            if error is None and state.fn is None and self._ends_by_return(state):
                call.finish("success")

    def _goes_on(self, state: Any, decision: Any) -> None:
        if isinstance(decision, tenacity.DoAttempt):
            if state.fn is not None:
                self._begin(state)
        elif isinstance(decision, tenacity.DoSleep):
            if (call := self._calls.get(state)) is not None:
                call.again()
        else:
            self._over(state, None)

    def _over(self, state: Any, error: BaseException | None) -> None:
        if (call := self._calls.get(state)) is None:
            return
        unwanted = state.retry_object.iter_state.retry_run_result
        failed = error is not None or state.outcome.failed or unwanted
        call.finish("gave_up" if failed else "success", error)


def _dropped(call: RetriedCall) -> None:
    """A loop was left early, and asks nothing more.  What drops it may hold any lock."""
    if call.under_way:
        start_new_thread(call.abandon, ())


def _retry_state(retry_state: Any) -> Any:
    return retry_state
