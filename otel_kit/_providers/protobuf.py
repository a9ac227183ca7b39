"""Protobuf's wire format, as far as spans need it: tags, varints, and what stands after a length.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5
"""Wire types."""

_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(0x80))
_DOUBLE: Final = Struct("<d")


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte, the lowest first."""
    if number < 0x80:
        return _ONE_BYTE[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    return bytes((number & 0x7F | 0x80,)) + varint(number >> 7)


def tag(field: int, wire_type: int) -> bytes:
    """What stands before each value."""
    return varint(field << 3 | wire_type)


def sized(content: bytes) -> bytes:
    """A string, a message or bytes, after its length."""
    size = len(content)
    return (_ONE_BYTE[size] if size < 0x80 else varint(size)) + content


def repeated(tagged: bytes, contents: Iterable[bytes]) -> bytes:
    """A repeated field; each of its values has its length already."""
    return tagged.join([b"", *contents])


def int64(number: int) -> bytes:
    """A signed number, negative ones as two's complement.  Raises `OverflowError`."""
    if not -(2**63) <= number < 2**63:
        raise OverflowError(f"{number} needs more than 64 bits")
    return varint(number & 0xFFFF_FFFF_FFFF_FFFF)


def double(number: float) -> bytes:
    """Eight bytes."""
    return _DOUBLE.pack(number)
