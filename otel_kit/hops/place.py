"""A place in the context for a `with` block that is no hop: a saga, a step, a replay."""

from opentelemetry.context import Context, attach, get_current, get_value, set_value

from otel_kit.hops.keys import PLACE


class Place:
    """Makes a context the current one, until it is left.

    It is left as `ActiveHop.leave` does it, in whichever task or thread this is: a generator may be
    driven by several, each with a context of its own, and a token belongs to one of them.
    """

    def __init__(self, context: Context) -> None:
        self._previous = get_current()
        attach(set_value(PLACE, self, context))

    def leave(self) -> None:
        """Put back what was before, unless this context is another one."""
        above, place = None, get_value(PLACE)
        while isinstance(place, Place) and place is not self:
            above, place = place, get_value(PLACE, place._previous)
        if place is None:
            return
        if above is None:
            attach(self._previous)
        else:
            above._previous = self._previous
