"""When an integration steps aside, and what keeps its mistakes from the application."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import Any

from otel_kit.hops import current
from otel_kit.hops.loops import Loops


class Guard:
    """One library, as far as its wrappers have to know it while they are called."""

    def __init__(self, name: str, contrib: tuple[str, ...], native: str | None) -> None:
        self.name = name
        self.contrib = contrib
        self.native = native
        self.loops = Loops()
        """What its consumers handed out one by one and is being handled."""

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
