"""Types of C extensions, whose attributes Python refuses to set.

Nor can such a type be replaced: whoever imported it before, made an instance of it or derived from
it keeps the one there was.  So it is opened, for the moment in which an attribute is set, by the
flag that CPython itself looks at; all else (slots, caches, derived types) CPython does as it does
for a type that is not sealed.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_IMMUTABLE = 1 << 8
"""`Py_TPFLAGS_IMMUTABLETYPE`."""
_FLAGS = object.__basicsize__ + 19 * ctypes.sizeof(ctypes.c_void_p)
"""Where `tp_flags` stands in a `PyTypeObject`: behind its header, its size and eighteen fields."""


@contextmanager
def opened(owner: object) -> Iterator[None]:
    """Within it the attributes of `owner`, a type or anything else, can be set.

    Raises AttributeError where the interpreter has no such flag in that place.
    """
    if not isinstance(owner, type) or not owner.__flags__ & _IMMUTABLE:
        yield
        return
    flags = ctypes.c_ulong.from_address(id(owner) + _FLAGS)
    if flags.value != owner.__flags__:
        raise AttributeError(f"{owner.__qualname__} cannot be patched in this interpreter")
    flags.value &= ~_IMMUTABLE
    try:
        yield
    finally:
        flags.value |= _IMMUTABLE
