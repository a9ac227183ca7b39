"""Why a source gave no answer; the message says which, where, and what to do."""

from otel_kit.exceptions import OtelKitError


class SourceError(OtelKitError):
    """A source did not answer as it should."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(self._sentence(url, reason))
        self.url = url
        self.reason = reason

    def _sentence(self, url: str, reason: str) -> str:
        return f"{url}: {reason}"


class SourceDown(SourceError):
    """Nobody answers at `url`, or not in time; trying again later may help."""

    def _sentence(self, url: str, reason: str) -> str:
        return f"{url} does not answer ({reason}): is it running, and is this its address?"


class BadAnswer(SourceError):
    """What answers at `url` is not what was expected there, or refuses."""

    def _sentence(self, url: str, reason: str) -> str:
        return f"{url} gave an answer that the explorer cannot use: {reason}"


class NotThere(BadAnswer):
    """`url` does not exist there (HTTP 404)."""
