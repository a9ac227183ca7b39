"""As much of MessagePack as counting spans takes: array headers, and skipping values."""

from collections.abc import Mapping
from typing import Final

_FIXED: Final[Mapping[int, int]] = {
    0xC0: 0, 0xC2: 0, 0xC3: 0,
    0xCA: 4, 0xCB: 8,
    0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,
    0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
"""Type byte → bytes of a value of fixed size: nil, booleans, floats, integers, small extensions."""
_SIZED: Final[Mapping[int, tuple[int, int]]] = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0),
    0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip
"""Type byte → (bytes of its length, bytes besides) of binary, extensions and strings."""
_NESTED: Final[Mapping[int, tuple[int, int]]] = {
    0xDC: (2, 1), 0xDD: (4, 1),
    0xDE: (2, 2), 0xDF: (4, 2),
}  # fmt: skip
"""Type byte → (bytes of its length, values per item) of arrays and maps."""


def array(body: bytes, at: int) -> tuple[int, int]:
    """(items, where the first begins) of the array at `at`.  Raises ValueError for another type."""
    kind = body[at]
    if kind & 0xF0 == 0x90:
        return kind & 0x0F, at + 1
    if kind not in (0xDC, 0xDD):
        raise ValueError(f"no array at {at}, but {kind:#x}")
    width, _ = _NESTED[kind]
    return _number(body, at + 1, width), at + 1 + width


def skip(body: bytes, at: int) -> int:
    """Where the value at `at` ends."""
    values = 1
    while values:
        inner, at = _skip_one(body, at)
        values += inner - 1
    return at


def _skip_one(body: bytes, at: int) -> tuple[int, int]:
    """(values within, where they begin) of an array or map; (0, its end) of anything else."""
    kind, at = body[at], at + 1
    if kind < 0x80 or kind >= 0xE0:
        return 0, at
    if kind < 0xA0:
        return (kind & 0x0F) * (2 if kind < 0x90 else 1), at
    if kind < 0xC0:
        return 0, at + (kind & 0x1F)
    if kind in _FIXED:
        return 0, at + _FIXED[kind]
    if kind in _SIZED:
        width, besides = _SIZED[kind]
        return 0, at + width + besides + _number(body, at, width)
    width, factor = _NESTED[kind]
    return factor * _number(body, at, width), at + width


def _number(body: bytes, at: int, width: int) -> int:
    return int.from_bytes(body[at : at + width], "big")
