"""An intercepted call with its arguments by name, and the patch that intercepts it."""

import gc
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from types import MethodType
from typing import Any

import wrapt

from otel_kit.integrations._sealed import opened

Undo = Callable[[], None]
Parameters = Mapping[str, tuple[int, Any]]
"""Position and default of each."""


class Call:
    """An intercepted call; arguments by name, however the caller passed them.

    Reading a name the caller left out gives its default.  Writing replaces the argument for the
    library, and changes nothing of the caller's.
    """

    __slots__ = ("_args", "_kwargs", "_names", "instance")

    def __init__(
        self, instance: Any, names: Parameters, args: tuple[Any, ...], kwargs: Any
    ) -> None:
        self.instance = instance
        self._names = names
        self._args = args
        self._kwargs = kwargs

    @classmethod
    def of(
        cls,
        wrapped: Callable[..., Any],
        instance: Any,
        args: Any,
        kwargs: Any,
        parameters: Parameters | None = None,
    ) -> "Call":
        """The call that a wrapper of `wrapped` was given.

        `parameters` are those of a function that hides them, as those written in C do; without,
        such a one raises ValueError.
        """
        if parameters is not None:
            return cls(instance, parameters, args, kwargs)
        function = getattr(wrapped, "__func__", wrapped)
        names = _known.get(function)
        if names is None:
            names = _known[function] = _parameters(wrapped)
        return cls(instance, names, args, kwargs)

    def takes(self, name: str) -> bool:
        """Whether the function has a parameter of that name; not all versions of a library do."""
        return name in self._names

    def __getitem__(self, name: str) -> Any:
        if name in self._kwargs:
            return self._kwargs[name]
        position, default = self._names[name]
        return self._args[position] if position < len(self._args) else default

    def __contains__(self, name: str) -> bool:
        """Whether the caller gave it."""
        return name in self._kwargs or self._names[name][0] < len(self._args)

    def get(self, name: str, default: Any) -> Any:
        """The argument, or this default in place of the function's if the caller left it out."""
        given = name in self
        return self[name] if given else default

    def __setitem__(self, name: str, value: Any) -> None:
        position, _ = self._names[name]
        if name not in self._kwargs and position < len(self._args):
            self._args = (*self._args[:position], value, *self._args[position + 1 :])
        else:
            self._kwargs = {**self._kwargs, name: value}

    def rest(self, name: str) -> tuple[Any, ...]:
        """The arguments that `*name` takes."""
        return self._args[self._names[name][0] :]

    def map_rest(self, name: str, function: Callable[[Any], Any]) -> None:
        """Replace each of the arguments that `*name` takes."""
        position, _ = self._names[name]
        self._args = (*self._args[:position], *map(function, self.rest(name)))

    def proceed(self, wrapped: Callable[..., Any]) -> Any:
        return wrapped(*self._args, **self._kwargs)


@dataclass(frozen=True, slots=True)
class Patch:
    """A wrapper and where it goes: `module:Class.method` (or property) or `module:function`.

    `plain`: `around(function)` is what stands in its place.
    """

    target: str
    around: Callable[..., Any]
    plain: bool = False


_known: dict[Any, Parameters] = {}


def in_order(*names: str) -> Parameters:
    """The parameters of a function written in C, each None by default."""
    return {name: (position, None) for position, name in enumerate(names)}


class _Open(dict[str, tuple[int, Any]]):
    """The parameters of a function that also takes any other by name."""

    def __missing__(self, name: str) -> tuple[int, Any]:
        return sys.maxsize, None


def _parameters(bound: Callable[..., Any]) -> Parameters:
    found = signature(bound).parameters.values()
    unlimited, kinds = sys.maxsize, {p.kind for p in found}
    # One that takes anything by position as well hides its parameters.
    is_open = Parameter.VAR_KEYWORD in kinds and Parameter.VAR_POSITIONAL not in kinds
    named = {
        p.name: (
            unlimited if p.kind is Parameter.KEYWORD_ONLY else position,
            None if p.default is Parameter.empty else p.default,
        )
        for position, p in enumerate(found)
    }
    return _Open(named) if is_open else named


def applied(patch: Patch) -> Undo:
    """Wrap the target; raises ImportError or AttributeError if the library lacks it."""
    module, _, path = patch.target.partition(":")
    parent: Any = importlib.import_module(module)
    *owners, attribute = path.split(".")
    for owner in owners:
        parent = getattr(parent, owner)
    own = vars(parent).get(attribute)
    original = getattr(parent, attribute) if own is None else own
    live = True
    wrapper: Any
    if patch.plain:
        wrapper = patch.around(original)
    elif isinstance(original, property):
        wrapper = _read_through(original, patch.around)
    else:
        wrapper = wrapt.FunctionWrapper(original, patch.around, enabled=lambda: live)
    with opened(parent):
        setattr(parent, attribute, wrapper)

    def undo() -> None:
        nonlocal live
        live = False
        if vars(parent).get(attribute) is not wrapper:
            return  # somebody has wrapped it since, and ours cannot be taken from within theirs
        with opened(parent):
            if own is None:
                delattr(parent, attribute)
            else:
                setattr(parent, attribute, own)

    return undo


def _read_through(original: property, around: Callable[..., Any]) -> property:
    """A property whose reading is a call, of no arguments, of `around`."""
    assert original.fget is not None
    read = original.fget

    def fget(instance: Any) -> Any:
        return around(MethodType(read, instance), instance, (), {})

    return property(fget, original.fset, original.fdel, original.__doc__)


def existing(types: tuple[type, ...]) -> list[Any]:
    """The objects of these types that there are.  Their `__class__` may be code: it is not read."""
    return [each for each in gc.get_objects() if issubclass(type(each), types)]
