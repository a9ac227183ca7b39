"""Undoes a content encoding without ever holding more than the limit."""

import zlib
from typing import Final

from otel_kit.embedded.problems import Malformed, TooLarge, UnsupportedMedia

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
"""zlib's numbers for a gzip header and for a zlib header (HTTP's "deflate")."""


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body; raises UnsupportedMedia, Malformed, or TooLarge past `limit` bytes."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise UnsupportedMedia(f"content encoding {encoding[:64]!r}: use gzip, deflate or none")
    try:
        return _inflate(body, encoding, limit)
    except zlib.error as error:
        raise Malformed(f"the body is not {encoding}: {error}") from error


def _inflate(body: bytes, encoding: str, limit: int) -> bytes:
    parts, size = [], 0
    while body:  # gzip may consist of several members
        stream = zlib.decompressobj(_WINDOW_BITS[encoding])
        part = stream.decompress(body, limit - size + 1)
        size += len(part)
        if size > limit or stream.unconsumed_tail:
            raise TooLarge(f"the body is over {limit} bytes when decompressed")
        if not stream.eof:
            raise Malformed(f"the {encoding} body ends too early")
        parts.append(part)
        body = stream.unused_data
    return b"".join(parts)
