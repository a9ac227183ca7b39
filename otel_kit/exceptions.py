"""The kit's own exceptions: raised at start-up and by the command line, never from a hop."""


class OtelKitError(Exception):
    """Something the reader can mend; the message says how."""


class InvalidSetting(OtelKitError):
    """An environment variable or argument has a value that is not allowed."""


class MissingExtra(OtelKitError):
    """An optional part of the kit is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs more packages: pip install 'otel-kit[{extra}]'")


class UnsupportedLibrary(OtelKitError):
    """A library was asked for by name and is absent, or outside the supported versions."""
