"""What can go wrong with the demo itself; each message says what to do."""


class DemoError(Exception):
    """The demo failed."""


class InvalidUse(DemoError):
    """The demo was asked for in a way that cannot work."""


class ChildDied(DemoError):
    """A process of the demo ended on its own."""
