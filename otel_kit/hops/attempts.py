"""Attempts of retried calls are told which server they call, by the hops made within them."""

from abc import ABC, abstractmethod

from opentelemetry.context import Context, get_current

from otel_kit.hops.keys import ATTEMPT


class Told(ABC):
    """What stands under `ATTEMPT` in the context of an attempt."""

    @abstractmethod
    def called(self, server: str) -> None:
        """A hop to `server`, or a breaker's refusal of one."""


def tell_attempt(server: str, context: Context | None = None) -> None:
    """Tell the attempt that `context` (None: the current one) is within, if any."""
    attempt = (get_current() if context is None else context).get(ATTEMPT)
    if isinstance(attempt, Told):
        attempt.called(server)
