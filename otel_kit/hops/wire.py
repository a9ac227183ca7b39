"""How a service name looks on the wire: percent-encoded, bounded, and never trusted."""

from functools import lru_cache
from urllib.parse import quote, unquote

_CHARACTERS = 64
_ENCODED = 200
"""A tracestate value has at most 256 characters (W3C), and ours carries two ids beside the name."""


@lru_cache(maxsize=256)
def encode_name(service: str) -> str:
    """The first 64 characters of `service` percent-encoded, fewer if they take over 200."""
    encoded = [quote(character, safe="") for character in service[:_CHARACTERS]]
    while sum(map(len, encoded)) > _ENCODED:
        encoded.pop()
    return "".join(encoded)


@lru_cache(maxsize=256)
def decode_name(encoded: str) -> str | None:
    """The name that was encoded, None if nobody of ours can have written it."""
    try:
        service = unquote(encoded[: 2 * _ENCODED], errors="strict")[:_CHARACTERS]
    except UnicodeDecodeError:
        return None
    return service if service.isprintable() and service else None
