"""The one shape of an integration: small functions from a library's arguments to a `Hop`.

An integration declares which function each description belongs to; this file does the rest: finds
the function, wraps it, hands over its arguments by name, guards the application from our mistakes,
steps aside where another instrumentation is active, and puts everything back.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any

import wrapt

from otel_kit.errors import ErrorClass, classify_as
from otel_kit.hops import ActiveHop, Hop, call, current, send
from otel_kit.hops.loops import Loops
from otel_kit.hops.messaging import describes
from otel_kit.hops.runtime import process

Undo = Callable[[], None]
Verb = Callable[[Hop], ActiveHop]


class Call:
    """An intercepted call; arguments by name, however the caller passed them.

    Reading a name the caller left out gives its default.  Writing replaces the argument for the
    library, and changes nothing of the caller's.
    """

    __slots__ = ("_args", "_kwargs", "_names", "instance")

    def __init__(
        self, instance: Any, names: dict[str, tuple[int, Any]], args: tuple[Any, ...], kwargs: Any
    ) -> None:
        self.instance = instance
        self._names = names
        self._args = args
        self._kwargs = kwargs

    @classmethod
    def of(cls, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> "Call":
        """The call that a wrapper of `wrapped` was given."""
        return cls(instance, _parameters(wrapped), args, kwargs)

    def __getitem__(self, name: str) -> Any:
        if name in self._kwargs:
            return self._kwargs[name]
        position, default = self._names[name]
        return self._args[position] if position < len(self._args) else default

    def __setitem__(self, name: str, value: Any) -> None:
        position, _ = self._names[name]
        if name not in self._kwargs and position < len(self._args):
            self._args = (*self._args[:position], value, *self._args[position + 1 :])
        else:
            self._kwargs = {**self._kwargs, name: value}

    def proceed(self, wrapped: Callable[..., Any]) -> Any:
        return wrapped(*self._args, **self._kwargs)


@dataclass(frozen=True, slots=True)
class Patch:
    """A wrapper and where it goes: `module:Class.method` or `module:function`."""

    target: str
    around: Callable[..., Any]


class Integration:
    """What the kit knows of one library.

    `supports` is a requirement specifier; CI tests its oldest and newest version.  `errors` classes
    the library's exceptions.  `contrib` names OpenTelemetry's own instrumentors of the library
    (`module:Class`): while one of them is active, every declaration here steps aside.
    """

    def __init__(
        self,
        name: str,
        *,
        supports: str,
        errors: dict[type[BaseException], ErrorClass] | None = None,
        contrib: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.supports = supports
        self.contrib = contrib
        self._errors = errors or {}
        self._patches: list[Patch] = []
        self._descriptions: dict[type, Callable[[Any], Hop]] = {}
        self._sides: list[Integration] = []
        self._loops = Loops()

    def side(self, *contrib: str) -> "Integration":
        """A part of the library that OpenTelemetry instruments apart: it steps aside alone."""
        side = Integration(self.name, supports=self.supports, contrib=contrib)
        self._sides.append(side)
        self.contrib += contrib
        return side

    # -- declarations ------------------------------------------------------------------------

    def calls(self, *targets: str, **options: Any) -> Callable[[Any], Any]:
        """`description(call) -> Hop | None` of a function that sends a request.

        `answered=fn(hop, result)` reads the reply; `ends=fn(hop, result)` means that the returned
        object ends the hop, by `hop.end(error)`, and the function's return does not.  The result of
        an `__init__` is the object.  `current=False`: the function lets code of the caller's run,
        or start, that is no part of the request, so the span is not the current one in it.
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

        def declare(describe: Callable[[Any, Any], Hop | None]) -> Callable[[Any, Any], Hop | None]:
            around = self._handing_out(describe)
            self._patches += [Patch(target, around) for target in targets]
            self._patches += [Patch(target, self._closing) for target in closed]
            return describe

        return declare

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

    def describes(self, message_type: type) -> Callable[[Any], Any]:
        """`description(message) -> Hop`: makes `otel_kit.process(message)` know the type."""

        def declare(describe: Callable[[Any], Hop]) -> Callable[[Any], Hop]:
            self._descriptions[message_type] = describe
            return describe

        return declare

    def wraps(self, *targets: str) -> Callable[[Any], Any]:
        """The hatch: `around(wrapped, instance, args, kwargs)`, for a library's official hook."""

        def declare(around: Callable[..., Any]) -> Callable[..., Any]:
            def aside(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
                if self.idle():
                    return wrapped(*args, **kwargs)
                return around(wrapped, instance, args, kwargs)

            self._patches += [Patch(target, aside) for target in targets]
            return around

        return declare

    # -- life -----------------------------------------------------------------------------------

    def install(self) -> Undo:
        """Patch the library; the returned function restores the very same objects."""
        for error_type, error_class in self._errors.items():
            classify_as(error_class, error_type)
        for message_type, description in self._descriptions.items():
            describes(message_type, description)
        patches = [patch for part in (self, *self._sides) for patch in part._patches]
        undo = [_patch(patch) for patch in patches]

        def uninstall() -> None:
            for message_type in self._descriptions:
                describes(message_type, None)
            for restore in reversed(undo):
                restore()

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
            if (loaded := sys.modules.get(module)) is not None:
                instrumentor = getattr(loaded, name)
                made = vars(instrumentor).get("_instance")
                if made is not None or load:
                    yield made or instrumentor()

    def idle(self) -> bool:
        """Whether nothing is to be recorded: telemetry is off, or another instrumentation is on."""
        return current() is None or any(
            instrumentor.is_instrumented_by_opentelemetry
            for instrumentor in self.instrumentors(load=False)
        )

    # -- the wrappers ---------------------------------------------------------------------------

    def _outbound(
        self, verb: Verb, targets: tuple[str, ...], **options: Any
    ) -> Callable[[Any], Any]:
        def declare(describe: Callable[[Call], Hop | None]) -> Callable[[Call], Hop | None]:
            around = _Outbound(self, verb, describe, **options)
            self._patches += [Patch(target, around) for target in targets]
            return describe

        return declare

    def _handing_out(self, describe: Callable[[Any, Any], Hop | None]) -> Callable[..., Any]:
        def hand_out(message: Any, consumer: Any) -> Any:
            hop = self._guarded(describe, message, consumer)
            if hop is not None:
                self._guarded(self._loops.handed_out, consumer, process(hop))
            return message

        async def awaited(wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
            self._guarded(self._loops.asked_again, consumer)
            return hand_out(await wrapped(*args, **kwargs), consumer)

        def around(wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
            if self.idle():
                return wrapped(*args, **kwargs)
            if iscoroutinefunction(wrapped):
                return awaited(wrapped, consumer, args, kwargs)
            self._guarded(self._loops.asked_again, consumer)
            return hand_out(wrapped(*args, **kwargs), consumer)

        return around

    def _closing(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        self._guarded(self._loops.closed, consumer)
        return wrapped(*args, **kwargs)

    def _guarded(self, function: Callable[..., Any], *args: Any) -> Any:
        """The guard: nothing an integration does can reach the application."""
        try:
            return function(*args)
        except Exception as error:
            if (runtime := current()) is not None:
                runtime.broke(f"{self.name}: {function.__name__}", error)
            return None


class _Outbound:
    """The wrapper around a function that sends."""

    def __init__(
        self,
        integration: Integration,
        verb: Verb,
        describe: Callable[[Call], Hop | None],
        *,
        answered: Callable[[ActiveHop, Any], None] | None = None,
        ends: Callable[[ActiveHop, Any], None] | None = None,
        current: bool = True,
    ) -> None:
        self._integration = integration
        self._verb = verb
        self._describe = describe
        self._answered = answered
        self._ends = ends
        self._current = current
        self._parameters: dict[Any, dict[str, tuple[int, Any]]] = {}

    def __call__(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if self._integration.idle():
            return wrapped(*args, **kwargs)
        names = self._parameters.get(function := getattr(wrapped, "__func__", wrapped))
        if names is None:
            names = self._parameters[function] = _parameters(wrapped)
        call = Call(instance, names, args, kwargs)
        hop = self._integration._guarded(self._describe, call)
        if hop is None:  # not a hop, or a bug of ours: the application's call, untouched
            return wrapped(*args, **kwargs)
        if iscoroutinefunction(wrapped):
            return self._awaited(hop, call, wrapped)
        with self._verb(hop) as active:
            if not self._current:
                active.leave()
            result = call.proceed(wrapped)
            self._concluded(active, instance if wrapped.__name__ == "__init__" else result)
            return result

    async def _awaited(self, hop: Hop, call: Call, wrapped: Any) -> Any:
        with self._verb(hop) as active:
            result = await call.proceed(wrapped)
            self._concluded(active, result)
            return result

    def _concluded(self, active: ActiveHop, result: Any) -> None:
        if self._ends is not None:  # should this fail, the hop is lost and not the call
            self._integration._guarded(self._ends, active.defer(), result)
        elif self._answered is not None:
            self._integration._guarded(self._answered, active, result)


def _parameters(bound: Callable[..., Any]) -> dict[str, tuple[int, Any]]:
    found = signature(bound).parameters.values()
    unlimited = sys.maxsize
    return {
        p.name: (
            unlimited if p.kind is Parameter.KEYWORD_ONLY else position,
            None if p.default is Parameter.empty else p.default,
        )
        for position, p in enumerate(found)
    }


def _patch(patch: Patch) -> Undo:
    module, _, path = patch.target.partition(":")
    parent: Any = importlib.import_module(module)
    *owners, attribute = path.split(".")
    for owner in owners:
        parent = getattr(parent, owner)
    own = vars(parent).get(attribute)
    original = getattr(parent, attribute) if own is None else own
    setattr(parent, attribute, wrapt.FunctionWrapper(original, patch.around))

    def undo() -> None:
        if own is None:
            delattr(parent, attribute)
        else:
            setattr(parent, attribute, own)

    return undo
