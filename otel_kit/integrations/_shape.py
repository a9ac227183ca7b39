"""The one shape of an integration: small functions from a library's arguments to a `Hop`.

An integration declares which function each description belongs to; this file does the rest: finds
the function, wraps it, hands over its arguments by name, guards the application from our mistakes,
steps aside where another instrumentation is active, and puts everything back.
"""

from collections.abc import Mapping

from otel_kit.errors import ErrorClass, Reader, classify_by
from otel_kit.hops.messaging import describes, undescribes
from otel_kit.integrations._declarations import Declarations
from otel_kit.integrations._patch import Call, Undo, applied, existing, in_order

__all__ = ["Call", "Integration", "Undo", "in_order"]


class Integration(Declarations):
    """What the kit knows of one library.

    `supports` is a requirement specifier: CI tests its newest version, `make oldest` its oldest.
    `errors` classes the library's exceptions.  `contrib` names OpenTelemetry's own instrumentors of
    the library (`module:Class`): while one of them is active, every declaration here steps aside.
    With `prefer="contrib"` the kit activates them at once, or, where that would be too early for
    the application, at the first call of the function `contrib_before`.  `native` is the module of
    the library that makes spans of its own, in versions that have one.
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
        super().__init__(name, contrib, native)
        self.supports = supports
        self.contrib_before = contrib_before
        self._errors = errors or {}
        self._sides: list[Integration] = []

    def side(self, *contrib: str) -> "Integration":
        """A part of the library that OpenTelemetry instruments apart: it steps aside alone."""
        side = Integration(self.name, supports=self.supports, contrib=contrib)
        self._sides.append(side)
        self.contrib += contrib
        return side

    def install(self) -> Undo:
        """Patch the library; the returned function restores the very same objects.

        Raises ImportError or AttributeError, and leaves nothing patched, if the library lacks one
        of the functions.
        """
        undo: list[Undo] = []

        def uninstall() -> None:
            self.loops.stop()
            for message_type, description in self._descriptions.items():
                undescribes(message_type, description)
            while undo:
                undo.pop()()

        try:
            for part in (self, *self._sides):
                undo.extend(applied(patch) for patch in part._patches)
                undo.extend(connect() for connect in part._connections)
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
