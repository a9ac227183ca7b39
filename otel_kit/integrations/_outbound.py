"""The wrapper around a function that sends a request or a message."""

from collections.abc import Callable
from inspect import iscoroutine, iscoroutinefunction
from typing import Any

from opentelemetry.context import get_value

from otel_kit.hops import ActiveHop, Hop
from otel_kit.hops.carriers import Mapped
from otel_kit.hops.keys import HOP
from otel_kit.integrations._guard import Guard
from otel_kit.integrations._patch import Call, Parameters

Verb = Callable[[Hop], ActiveHop]
_NOTHING: tuple[None, None] = (None, None)


def _stands(headers: object) -> bool:
    """Whether the hop around has written into these very headers: it is the hop of this call."""
    outer = get_value(HOP)
    carrier = outer.hop.carrier if isinstance(outer, ActiveHop) else None
    return isinstance(carrier, Mapped) and carrier.mapping is headers


class Outbound:
    """Describes a call, and makes a hop of it unless there is nothing to describe."""

    def __init__(
        self,
        integration: Guard,
        verb: Verb,
        describe: Callable[[Call], Hop | None],
        *,
        answered: Callable[[ActiveHop, Any], None] | None = None,
        ends: Callable[[ActiveHop, Any], None] | None = None,
        failed: Callable[[ActiveHop, Exception], None] | None = None,
        current: bool = True,
        parameters: Parameters | None = None,
        headers: str | None = None,
        begun: Callable[[ActiveHop, Call], None] | None = None,
    ) -> None:
        self._integration = integration
        self._verb = verb
        self._describe = describe
        self._conclude = ends or answered
        self._deferred = ends is not None
        self._failed = failed
        self._current = current
        self._parameters = parameters
        self._headers = headers
        self._begun = begun

    def __call__(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if self._headers is not None and _stands(kwargs.get(self._headers)):
            return wrapped(*args, **kwargs)
        if self._integration.idle():
            return wrapped(*args, **kwargs)
        described = self._integration._guarded(self._described, wrapped, instance, args, kwargs)
        hop, call = described or _NOTHING
        if hop is None or call is None:  # not a hop, or a bug of ours: the call, untouched
            return wrapped(*args, **kwargs)
        if iscoroutinefunction(wrapped):
            return self._awaited(hop, call, wrapped)
        active = self._verb(hop)
        with active if self._current else active.aside():
            self._begin(active, call)
            result = self._proceeded(active, call, wrapped)
            if iscoroutine(result):  # a plain function stands before one that is to be awaited
                return self._finished(active.defer(), result)
            self._concluded(active, instance if wrapped.__name__ == "__init__" else result)
            return result

    def _described(
        self, wrapped: Any, instance: Any, args: Any, kwargs: Any
    ) -> tuple[Hop | None, Call]:
        call = Call.of(wrapped, instance, args, kwargs, self._parameters)
        return self._describe(call), call

    async def _awaited(self, hop: Hop, call: Call, wrapped: Any) -> Any:
        with self._verb(hop) as active:
            self._begin(active, call)
            try:
                result = await call.proceed(wrapped)
            except Exception as error:
                self._raised(active, error)
                raise
            self._concluded(active, result)
            return result

    def _begin(self, active: ActiveHop, call: Call) -> None:
        if self._begun is not None:
            self._integration._guarded(self._begun, active, call)

    def _proceeded(self, active: ActiveHop, call: Call, wrapped: Any) -> Any:
        try:
            return call.proceed(wrapped)
        except Exception as error:
            self._raised(active, error)
            raise

    def _raised(self, active: ActiveHop, error: BaseException) -> None:
        if self._failed is not None and isinstance(error, Exception):
            self._integration._guarded(self._failed, active, error)

    async def _finished(self, active: ActiveHop, coroutine: Any) -> Any:
        try:
            result = await coroutine
        except BaseException as error:
            self._raised(active, error)
            active.end(error)
            raise
        self._concluded(active, result)
        if not self._deferred:
            active.end()
        return result

    def _concluded(self, active: ActiveHop, result: Any) -> None:
        if self._deferred:
            active.defer()
        if self._conclude is not None:
            done = self._integration._done(self._conclude, active, result)
            if self._deferred and not done:
                active.end()  # nobody else would
