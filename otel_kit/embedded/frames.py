"""Counts the messages within a protobuf body before it is parsed.

An empty sub-message takes two bytes on the wire and some two hundred in memory, so a body within
the size limit could still need gigabytes.  Counting is slow, so a body is only walked through when
a glance cannot rule it out: it is too short to hold too many, or too few of its bytes could begin
one.
"""

from functools import cache
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message

from otel_kit.embedded.config import MAX_ELEMENTS
from otel_kit.embedded.problems import TooLarge

Tree: TypeAlias = dict[int, "Tree"]
"""Field number to the tree of the message in it; recursive messages refer to themselves."""

_HARMLESS: Final = 2 * MAX_ELEMENTS
"""Bytes; a message takes at least two, its key and its length."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@cache
def tree_of(descriptor: Any) -> Tree:
    """Where messages may stand within a message."""
    known: dict[str, Tree] = {}

    def visit(message: Any) -> Tree:  # a descriptor, of which there are two implementations
        if message.full_name not in known:
            tree = known[message.full_name] = {}
            for field in message.fields:
                if field.message_type is not None:
                    tree[field.number] = visit(field.message_type)
        return known[message.full_name]

    return visit(descriptor)


def check_elements(body: bytes, kind: type[Message]) -> None:
    """Raise TooLarge when `body` holds more than `MAX_ELEMENTS` messages.

    A body that is not protobuf passes: the parser will say so.
    """
    if len(body) <= _HARMLESS or _at_most(body, kind) <= MAX_ELEMENTS:
        return
    try:
        count = _count(body, tree_of(kind.DESCRIPTOR))
    except IndexError:
        return
    if count > MAX_ELEMENTS:
        raise TooLarge(f"the body holds over {MAX_ELEMENTS} messages; send smaller batches")


def _at_most(body: bytes, kind: type[Message]) -> int:
    """How many bytes of `body` could be the first of a message's key."""
    return len(body) - len(body.translate(None, _first_bytes(kind.DESCRIPTOR)))


@cache
def _first_bytes(descriptor: Any) -> bytes:
    """Of keys: a varint's low seven bits, with and without the bit that says it goes on."""
    found, seen, waiting = set[int](), set[int](), [tree_of(descriptor)]
    while waiting:
        tree = waiting.pop()
        if id(tree) not in seen:
            seen.add(id(tree))
            found |= {(number << 3 | _BYTES) & 127 for number in tree}
            waiting += tree.values()
    return bytes(found | {first | 128 for first in found})


def _count(body: bytes, tree: Tree) -> int:
    count, waiting = 0, [(0, len(body), tree)]
    while waiting and count <= MAX_ELEMENTS:
        position, end, fields = waiting.pop()
        while position < end and count <= MAX_ELEMENTS:
            key, position = _varint(body, position)
            position, length = _value(body, position, key & 7)
            if key & 7 == _BYTES and key >> 3 in fields:
                count += 1
                if length:
                    waiting.append((position - length, position, fields[key >> 3]))
    return count


def _value(body: bytes, position: int, wire_type: int) -> tuple[int, int]:
    """The position after a value, and the length of its bytes if it has any."""
    if wire_type == _BYTES:
        length, position = _varint(body, position)
        return position + length, length
    if wire_type == _VARINT:
        return _varint(body, position)[1], 0
    if wire_type in (_FIXED64, _FIXED32):
        return position + (8 if wire_type == _FIXED64 else 4), 0
    raise IndexError("not a wire type in use")


def _varint(body: bytes, position: int) -> tuple[int, int]:
    byte = body[position]
    if byte < 128:
        return byte, position + 1
    value, shift = byte & 127, 7
    while byte >= 128:
        position += 1
        byte = body[position]
        value |= (byte & 127) << shift
        shift += 7
        if shift > 70:
            raise IndexError("not a varint")
    return value, position + 1
