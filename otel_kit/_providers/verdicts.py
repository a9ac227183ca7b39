"""What a collector's answer means: delivered, in part, to be tried again, or refused for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from google.protobuf.message import DecodeError, Message

from otel_kit._providers.delivery import DELIVERED, Outcome

Verdict: TypeAlias = Callable[[], Outcome | None]

MAX_ANSWER: Final = 65_536
"""Bytes of an answer that are read; OTLP's are a few dozen."""

RETRYABLE_STATUS: Final = frozenset({408, 429, 502, 503, 504})
"""HTTP status codes after which OTLP lets a client try again (and 408, which says so itself)."""


class Observed:
    """Keeps the outcome of the attempt under way."""

    def __init__(self, answer: type[Message]) -> None:
        self._answer = answer
        self.outcome: Outcome | None = None

    def take(self) -> Outcome | None:
        """The outcome, once."""
        outcome, self.outcome = self.outcome, None
        return outcome

    def accepted(self, answer: Message) -> None:
        """The collector took the batch, perhaps not all of it."""
        partial: Any = getattr(answer, "partial_success", None)
        fields = partial.DESCRIPTOR.fields_by_name if partial else ()
        rejected = sum(getattr(partial, name) for name in fields if name.startswith("rejected_"))
        self.outcome = DELIVERED
        if rejected > 0:
            said = partial.error_message[:200]
            self.outcome = Outcome(True, rejected=rejected, problem=f"rejected in part: {said}")

    def accepted_bytes(self, body: bytes) -> None:
        """The same, not yet decoded.  An answer that is no OTLP counts as accepted: 2xx says so."""
        answer = self._answer()
        try:
            answer.ParseFromString(body)
        except DecodeError:
            answer = self._answer()
        self.accepted(answer)
