"""The one shape of an integration: small functions from a library's arguments to a `Hop`.

An integration declares which function each description belongs to; this file does the rest: finds
the function, wraps it, hands over its arguments by name, guards the application from our mistakes,
steps aside where another instrumentation is active, and puts everything back.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from otel_kit.errors import ErrorClass, Reader, classify_by
from otel_kit.hops import Hop, call, current, send
from otel_kit.hops.loops import Loops
from otel_kit.hops.messaging import describes
from otel_kit.integrations._inbound import Batch, Handlers, Iterated, Loop, OneByOne
from otel_kit.integrations._outbound import Outbound, Verb
from otel_kit.integrations._patch import Call, Patch, Undo, applied, existing

__all__ = ["Call", "Integration", "Undo"]

M = TypeVar("M")


class Integration:
    """What the kit knows of one library.

    `supports` is a requirement specifier; CI tests its oldest and newest version.  `errors` classes
    the library's exceptions.  `contrib` names OpenTelemetry's own instrumentors of the library
    (`module:Class`): while one of them is active, every declaration here steps aside.  With
    `prefer="contrib"` the kit activates them at once, or, where that would be too early for the
    application, at the first call of the function `contrib_before`.  `native` is the module of the
    library that makes spans of its own, in versions that have one.
    """

    def __init__(
        self,
        name: str,
        *,
        supports: str,
        errors: Mapping[type[BaseException], ErrorClass | Reader] | None = None,
        contrib: tuple[str, ...] = (),
        contrib_before: str | None = None,
        native: str | None = None,
    ) -> None:
        self.name = name
        self.supports = supports
        self.contrib = contrib
        self.contrib_before = contrib_before
        self.native = native
        self._errors = errors or {}
        self._patches: list[Patch] = []
        self._descriptions: dict[type, Callable[[Any], Hop]] = {}
        self._finders: list[tuple[tuple[type, ...], Callable[[Any], None]]] = []
        self._sides: list[Integration] = []
        self.loops = Loops()
        """What its consumers handed out one by one and is being handled."""

    def side(self, *contrib: str) -> "Integration":
        """A part of the library that OpenTelemetry instruments apart: it steps aside alone."""
        side = Integration(self.name, supports=self.supports, contrib=contrib)
        self._sides.append(side)
        self.contrib += contrib
        return side

    # -- declarations ------------------------------------------------------------------------

    def calls(self, *targets: str, **options: Any) -> Callable[[Any], Any]:
        """`description(call) -> Hop | None` of a function that sends a request.

        `answered=fn(hop, result)` reads the reply, `failed=fn(hop, error)` what an exception of the
        library's says of it; `ends=fn(hop, result)` means that the returned
        object ends the hop, by `hop.end(error)`, and the function's return does not.  The result of
        an `__init__` is the object.  `current=False`: the function lets code of the caller's run,
        or start, that is no part of the request, so the span is not the current one in it.
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
            self._patches += [Patch(target, around) for target in targets]
            return describe

        return declare

    def processes(self, *targets: str) -> Callable[[Any], Any]:
        """`description(instance, *arguments) -> Hop | None` of what handles a message itself."""

        def declare(describe: Callable[..., Hop | None]) -> Callable[..., Hop | None]:
            self._patches += [
                Patch(each, Handlers(self, describe, "", None).call) for each in targets
            ]
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

            self._patches += [Patch(target, around) for target in targets]
            return observe

        return declare

    def asks(self, *targets: str) -> Callable[[Any], Any]:
        """`fn(call)` is told of a call before it is made; it makes no hop."""

        def declare(told: Callable[[Call], None]) -> Callable[[Call], None]:
            def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                self._guarded(lambda: told(Call.of(wrapped, instance, args, kwargs)))
                return wrapped(*args, **kwargs)

            self._patches += [Patch(target, around) for target in targets]
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

            self._patches += [Patch(target, around) for target in targets]
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

            self._patches += [Patch(target, around) for target in targets]
            return observe

        return declare

    def finds(self, *types: type) -> Callable[[Any], Any]:
        """`fn(instance)` is told each object of these types that was made before installation."""

        def declare(found: Callable[[Any], None]) -> Callable[[Any], None]:
            self._finders += [(types, found)]
            return found

        return declare

    def describes(self, message_type: type) -> Callable[[Any], Any]:
        """`description(message) -> Hop`: makes `otel_kit.process(message)` know the type."""

        def declare(describe: Callable[[Any], Hop]) -> Callable[[Any], Hop]:
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

            self._patches += [Patch(target, aside) for target in targets]
            return around

        return declare

    def replaces(self, target: str, replacement: Callable[[Any], Any]) -> None:
        """`replacement(function)` stands in the place of a function that is called very often.

        Nothing guards it, and it is called whether there is something to record or not.
        """
        self._patches.append(Patch(target, replacement, plain=True))

    # -- life -----------------------------------------------------------------------------------

    def install(self) -> Undo:
        """Patch the library; the returned function restores the very same objects.

        Raises ImportError or AttributeError, and leaves nothing patched, if the library lacks one
        of the functions.
        """
        undo: list[Undo] = []

        def uninstall() -> None:
            self.loops.stop()
            for message_type in self._descriptions:
                describes(message_type, None)
            while undo:
                undo.pop()()

        try:
            for part in (self, *self._sides):
                undo.extend(applied(patch) for patch in part._patches)
        except (ImportError, AttributeError):
            uninstall()
            raise
        for error_type, how in self._errors.items():
            classify_by(how, error_type)
        for message_type, description in self._descriptions.items():
            describes(message_type, description)
        for types, found in self._finders:
            for each in existing(types):
                self._guarded(found, each)
        return uninstall

    def instrumentors(self, *, load: bool) -> Iterator[Any]:
        """OpenTelemetry's instrumentors of this library: those made so far, or (`load`) all.

        They are singletons whose constructor sets them up afresh: one that its user has configured
        is never constructed again.
        """
        for reference in self.contrib:
            module, _, name = reference.partition(":")
            if load:
                try:
                    importlib.import_module(module)
                except ImportError:
                    continue
            # The module may be in the midst of its import.
            instrumentor = getattr(sys.modules.get(module), name, None)
            if instrumentor is not None:
                made = vars(instrumentor).get("_instance")
                if made is not None or load:
                    yield made or instrumentor()

    def is_native(self) -> bool:
        """Whether the installed version of the library makes spans without any instrumentor."""
        return self.native is not None and importlib.util.find_spec(self.native) is not None

    def idle(self) -> bool:
        """Whether nothing is to be recorded: telemetry is off, or another instrumentation is on."""
        if current() is None:
            return True
        if sys.modules.keys().isdisjoint(self._modules):  # as nearly always
            return False
        return any(
            instrumentor.is_instrumented_by_opentelemetry
            for instrumentor in self.instrumentors(load=False)
        )

    @property
    def contrib(self) -> tuple[str, ...]:
        """OpenTelemetry's own instrumentors of the library, `module:Class`."""
        return self._contrib

    @contrib.setter
    def contrib(self, references: tuple[str, ...]) -> None:
        self._contrib = references
        self._modules = frozenset(each.partition(":")[0] for each in references)

    # -- the wrappers ---------------------------------------------------------------------------

    def _outbound(
        self, verb: Verb, targets: tuple[str, ...], **options: Any
    ) -> Callable[[Any], Any]:
        def declare(describe: Callable[[Call], Hop | None]) -> Callable[[Call], Hop | None]:
            around = Outbound(self, verb, describe, **options)
            self._patches += [Patch(target, around) for target in targets]
            return describe

        return declare

    def _inbound(
        self, shape: Callable[..., Any], targets: tuple[str, ...], closed: tuple[str, ...]
    ) -> Callable[[Any], Any]:
        def declare(describe: Callable[[Any, Any], Hop | None]) -> Callable[[Any, Any], Hop | None]:
            around = shape(self, describe)
            self._patches += [Patch(target, around) for target in targets]
            self._patches += [Patch(target, around.closing) for target in closed]
            return describe

        return declare

    def _guarded(self, function: Callable[..., Any], *args: Any) -> Any:
        """The guard: nothing an integration does can reach the application."""
        try:
            return function(*args)
        except Exception as error:
            self._broke(function, error)
            return None

    def _done(self, function: Callable[..., None], *args: Any) -> bool:
        """The same for a function that returns nothing: whether it ran to its end."""
        try:
            function(*args)
        except Exception as error:
            self._broke(function, error)
            return False
        return True

    def _broke(self, function: Callable[..., Any], error: Exception) -> None:
        if (runtime := current()) is not None:
            runtime.broke(f"{self.name}: {getattr(function, '__name__', function)}", error)
