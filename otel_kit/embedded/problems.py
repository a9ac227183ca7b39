"""Why a request was refused or a store not opened; the ports turn these into status codes."""

from otel_kit.exceptions import OtelKitError


class Refused(Exception):
    """A request that is not served; the message is the reason the sender is given."""


class Malformed(Refused):
    """Not what the protocol says: 400, INVALID_ARGUMENT."""


class TooLarge(Refused):
    """Over a size limit: 413, RESOURCE_EXHAUSTED."""


class UnsupportedMedia(Refused):
    """A content type or encoding we do not speak: 415."""


class NotFound(Refused):
    """No such thing: 404."""


class Unavailable(Refused):
    """Not now, come back later: 503, UNAVAILABLE."""


class DataUnusable(OtelKitError):
    """The data directory cannot be used; nothing in it was changed."""
