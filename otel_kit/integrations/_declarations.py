"""What an integration can say of a function of its library."""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from otel_kit.hops import Hop, call, send
from otel_kit.hops.messaging import Description
from otel_kit.integrations._guard import Guard
from otel_kit.integrations._inbound import Batch, Handlers, Iterated, Loop, OneByOne
from otel_kit.integrations._outbound import Outbound, Verb
from otel_kit.integrations._patch import Call, Parameters, Patch, Undo

M = TypeVar("M")


class Declarations(Guard):
    """Each method declares something; `Integration.install` carries it out."""

    def __init__(self, name: str, contrib: tuple[str, ...], native: str | None) -> None:
        super().__init__(name, contrib, native)
        self._patches: list[Patch] = []
        self._descriptions: dict[type, Description] = {}
        self._finders: list[tuple[tuple[type, ...], Callable[[Any], None]]] = []
        self._connections: list[Callable[[], Undo]] = []

    # -- what is a hop ---------------------------------------------------------------------------

    def calls(self, *targets: str, **options: Any) -> Callable[[Any], Any]:
        """`description(call) -> Hop | None` of a function that sends a request.

        `answered=fn(hop, result)` reads the reply, `failed=fn(hop, error)` what an exception of the
        library's says of it; `ends=fn(hop, result)` means that the returned
        object ends the hop, by `hop.end(error)`, and the function's return does not.  The result of
        an `__init__` is the object.  `current=False`: the function lets code of the caller's run,
        or start, that is no part of the request, so the span is not the current one in it.
        `parameters=in_order(…)`: those of a function written in C, which does not tell them.
        `headers` names the argument by which a library above passes those that its own hop has
        written: with these very ones the call is that hop, and is not described at all.
        `begun=fn(hop, call)` is told when the context has been injected, and may put it into other
        arguments than headers.
        """
        return self._outbound(call, targets, **options)

    def sends(self, *targets: str, **options: Any) -> Callable[[Any], Any]:
        """`description(call) -> Hop | None` for a function that sends a message; same options."""
        return self._outbound(send, targets, **options)

    def processes_each(self, *targets: str, closed: tuple[str, ...] = ()) -> Callable[[Any], Any]:
        """`description(message, consumer) -> Hop | None` of what a function hands out one by one.

        The caller's code up to its next call of the function is the handler.  `closed` names the
        functions after which nothing more is handed out.
        """
        return self._inbound(OneByOne, targets, closed)

    def processes_iterated(
        self, *targets: str, closed: tuple[str, ...] = ()
    ) -> Callable[[Any], Any]:
        """The same of a function that returns an iterator or a generator of messages."""
        return self._inbound(Iterated, targets, closed)

    def processes_callback(
        self, *targets: str, parameter: str, ours: Callable[[Any], bool] | None = None
    ) -> Callable[[Any], Any]:
        """`description(consumer, *message) -> Hop | None` of what a function's `parameter` handles.

        `message` is what the library calls the handler with; `ours(handler)` tells a handler of the
        library's own, which is left alone.
        """

        def declare(describe: Callable[..., Hop | None]) -> Callable[..., Hop | None]:
            around = Handlers(self, describe, parameter, ours)
            self._patch(targets, around)
            return describe

        return declare

    def processes(self, *targets: str) -> Callable[[Any], Any]:
        """`description(instance, *arguments) -> Hop | None` of what handles a message itself."""

        def declare(describe: Callable[..., Hop | None]) -> Callable[..., Hop | None]:
            self._patch(targets, Handlers(self, describe, "", None).call)
            return describe

        return declare

    def handed(
        self, messages: list[M], consumer: Any, describe: Callable[[Any, Any], Hop | None]
    ) -> list[M]:
        """A list that a library returns: who iterates over it handles its messages one by one."""
        return Batch(messages, Loop(self, describe), consumer) if messages else messages

    def observes(self, *targets: str) -> Callable[[Any], Any]:
        """`fn(instance, result)` is told what a function returned; it makes no hop."""

        def declare(observe: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
            async def watch(awaitable: Any, instance: Any) -> Any:
                result = await awaitable
                self._guarded(observe, instance, result)
                return result

            def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                result = wrapped(*args, **kwargs)
                if iscoroutinefunction(wrapped):
                    return watch(result, instance)
                self._guarded(observe, instance, result)
                return result

            self._patch(targets, around)
            return observe

        return declare

    def asks(self, *targets: str, parameters: Parameters | None = None) -> Callable[[Any], Any]:
        """`fn(call)` is told of a call before it is made; it makes no hop."""

        def declare(told: Callable[[Call], None]) -> Callable[[Call], None]:
            def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                self._guarded(lambda: told(Call.of(wrapped, instance, args, kwargs, parameters)))
                return wrapped(*args, **kwargs)

            self._patch(targets, around)
            return told

        return declare

    def amends(self, *targets: str) -> Callable[[Any], Any]:
        """`fn(call)` may write arguments of a call, which makes no hop by that."""

        def declare(amend: Callable[[Call], None]) -> Callable[[Call], None]:
            def amended(*called: Any) -> Call:
                call = Call.of(*called)
                amend(call)
                return call

            def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                if self.idle():
                    return wrapped(*args, **kwargs)
                call = self._guarded(amended, wrapped, instance, args, kwargs)
                return wrapped(*args, **kwargs) if call is None else call.proceed(wrapped)

            self._patch(targets, around)
            return amend

        return declare

    def refusals(self, *targets: str) -> Callable[[Any], Any]:
        """`fn(instance, error)` is told what a function raised; the caller gets the very same."""

        def declare(observe: Callable[[Any, Exception], None]) -> Callable[[Any, Exception], None]:
            def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                try:
                    return wrapped(*args, **kwargs)
                except Exception as error:
                    self._guarded(observe, instance, error)
                    raise

            self._patch(targets, around)
            return observe

        return declare

    def finds(self, *types: type) -> Callable[[Any], Any]:
        """`fn(instance)` is told each object of these types that was made before installation."""

        def declare(found: Callable[[Any], None]) -> Callable[[Any], None]:
            self._finders += [(types, found)]
            return found

        return declare

    def describes(self, message_type: type) -> Callable[[Any], Any]:
        """`description(message) -> Hop | None`: makes `otel_kit.process(message)` know the type."""

        def declare(describe: Description) -> Description:
            self._descriptions[message_type] = describe
            return describe

        return declare

    def wraps(self, *targets: str, always: bool = False) -> Callable[[Any], Any]:
        """The hatch: `around(wrapped, instance, args, kwargs)`, for a library's official hook.

        `always`: also while nothing is recorded, as for what takes out of a message what the kit
        has put into it.
        """

        def declare(around: Callable[..., Any]) -> Callable[..., Any]:
            def aside(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                if self.idle() and not always:
                    return wrapped(*args, **kwargs)
                return around(wrapped, instance, args, kwargs)

            self._patch(targets, aside)
            return around

        return declare

    def replaces(self, target: str, replacement: Callable[[Any], Any]) -> None:
        """`replacement(function)` stands in the place of a function that is called very often.

        Nothing guards it, and it is called whether there is something to record or not.
        """
        self._patches.append(Patch(target, replacement, plain=True))

    def connects(self, connect: Callable[[], Undo]) -> Callable[[], Undo]:
        """`connect()` is called at installation; what it returns takes it back: signals, say."""
        self._connections.append(connect)
        return connect

    # -- the wrappers ----------------------------------------------------------------------------

    def _patch(self, targets: tuple[str, ...], around: Callable[..., Any]) -> None:
        self._patches += [Patch(target, around) for target in targets]

    def _outbound(
        self, verb: Verb, targets: tuple[str, ...], **options: Any
    ) -> Callable[[Any], Any]:
        def declare(describe: Callable[[Call], Hop | None]) -> Callable[[Call], Hop | None]:
            around = Outbound(self, verb, describe, **options)
            self._patch(targets, around)
            return describe

        return declare

    def _inbound(
        self, shape: Callable[..., Any], targets: tuple[str, ...], closed: tuple[str, ...]
    ) -> Callable[[Any], Any]:
        def declare(describe: Callable[[Any, Any], Hop | None]) -> Callable[[Any, Any], Hop | None]:
            around = shape(self, describe)
            self._patch(targets, around)
            self._patch(closed, around.closing)
            return describe

        return declare
