"""Headers of every shape as one mutable mapping of strings by lower-case name.

Reading never raises, whatever a stranger put there: what cannot be decoded is absent.  Of a name
that stands more than once the last value counts, as it was added last; writing leaves just one.
Lists are read as one list.  Two `traceparent` fields of one HTTP request are not valid (W3C trace
context, processing model), whoever added which; a message's headers are a log, and the last counts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

Pair = tuple[Any, Any]


def _text(raw: object) -> str | None:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, (bytes, bytearray, memoryview)):
        try:
            return bytes(raw).decode("ascii")
        except UnicodeDecodeError:
            return None
    return None


@lru_cache
def _lengths(names: frozenset[str]) -> frozenset[int]:
    return frozenset(map(len, names))


class Headers(MutableMapping[str, str]):
    """A list of (name, value) pairs, changed in place."""

    __slots__ = ("pairs",)
    _lists: tuple[str, ...] = ("tracestate", "baggage")

    def __init__(self, pairs: list[Pair]) -> None:
        self.pairs = pairs

    @staticmethod
    def _encode(name: str, value: str) -> Pair:
        return name, value

    def __getitem__(self, name: str) -> str:
        return self.some((name,))[name]

    def __contains__(self, name: object) -> bool:
        return bool(self.some((str(name),)))

    def some(self, wanted: Collection[str]) -> dict[str, str]:
        """Those of `wanted` that there are, as `get` has them, in one pass."""
        lengths = _lengths(frozenset(wanted))
        found: dict[str, str] = {}
        for pair in self.pairs:
            raw = pair[0]
            if isinstance(raw, (bytes, str)) and len(raw) not in lengths:
                continue  # most headers, and cheaper than to decode them
            key = (_text(raw) or "").lower()
            if key in wanted and (text := _text(pair[1])) is not None:
                joined = key in found and key in self._lists
                found[key] = f"{found[key]},{text}" if joined else text
        return found

    def __setitem__(self, name: str, value: str) -> None:
        self._drop(name)
        self.pairs.append(self._encode(name, value))

    def __delitem__(self, name: str) -> None:
        if not self._drop(name):
            raise KeyError(name)

    def _drop(self, name: str) -> bool:
        kept = [pair for pair in self.pairs if (_text(pair[0]) or "").lower() != name]
        dropped = len(kept) != len(self.pairs)
        if dropped:
            self.pairs[:] = kept
        return dropped

    def __iter__(self) -> Iterator[str]:
        return iter({key.lower() for pair in self.pairs if (key := _text(pair[0])) is not None})

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Pairs(Headers):
    """`[(str, bytes)]`: Kafka record headers."""

    __slots__ = ()

    @staticmethod
    def _encode(name: str, value: str) -> Pair:
        return name, value.encode("ascii")


class BytesPairs(Headers):
    """`[(bytes, bytes)]`: ASGI headers."""

    __slots__ = ()
    _lists = ("tracestate", "baggage", "traceparent")  # two of the last do not parse

    @staticmethod
    def _encode(name: str, value: str) -> Pair:
        return name.encode("ascii"), value.encode("ascii")


AnyHeaders = Mapping[Any, Any] | Iterable[Pair]
"""Headers as the application has them: a mapping of whatever library, or pairs; text or bytes."""


def as_pairs(headers: AnyHeaders) -> BytesPairs:
    """A copy of any headers, to be read."""
    items = getattr(headers, "items", None)
    return BytesPairs([*(items() if callable(items) else headers)])


class Mapped(MutableMapping[str, str]):
    """A mapping of names to values, whatever its own rules for either: an HTTP client's headers.

    Names that others have written into the mapping since then are not seen.
    """

    __slots__ = ("_names", "mapping")

    def __init__(self, mapping: MutableMapping[Any, Any]) -> None:
        self.mapping = mapping
        self._names: dict[str, list[Any]] = {}  # those of the mapping that are one for us
        for name in mapping:
            self._names.setdefault((_text(name) or "").lower(), []).append(name)

    @property
    def pairs(self) -> list[Pair]:
        """What is there, as it is, also what cannot be read here."""
        return list(self.mapping.items())

    def some(self, wanted: Collection[str]) -> dict[str, str]:
        """As `Headers.some`; values are read only if there is one."""
        if self._names.keys().isdisjoint(wanted):
            return {}
        return Headers(self.pairs).some(wanted)

    def __getitem__(self, name: str) -> str:
        return self.some((name,))[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names and bool(self.some((str(name),)))

    def __setitem__(self, name: str, value: str) -> None:
        self._drop(name)
        self.mapping[name] = value
        self._names[name] = [name]

    def __delitem__(self, name: str) -> None:
        if not self._drop(name):
            raise KeyError(name)

    def _drop(self, name: str) -> bool:
        stale = self._names.pop(name, ())
        for each in stale:
            if each in self.mapping:  # one that knows no case has dropped all by the first
                del self.mapping[each]
        return bool(stale)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Metadata(Headers):
    """`[(str, str | bytes)]`: gRPC metadata."""

    __slots__ = ()


class Attributes(MutableMapping[str, str]):
    """`{name: {"DataType": …, "StringValue": …}}`: an SQS or SNS message's, of which ten may be.

    Where there is no room for all, the context comes before what goes with it.
    """

    __slots__ = ("attributes", "lacked_room")
    room = 10
    _ranks = ("traceparent", "tracestate", "baggage")

    def __init__(self, attributes: MutableMapping[str, Any]) -> None:
        self.attributes = attributes
        self.lacked_room = False

    def __getitem__(self, name: str) -> str:
        found = [self.attributes[each] for each in self._named(name)]
        texts = [
            each.get("StringValue", each.get("Value")) for each in found if hasattr(each, "get")
        ]
        for text in reversed(texts):
            if (decoded := _text(text)) is not None:
                return decoded
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        for each in self._named(name):
            del self.attributes[each]
        if len(self.attributes) >= self.room:
            self.lacked_room = True
            least = self._least(name)
            if least is None:
                return
            del self.attributes[least]
        self.attributes[name] = {"DataType": "String", "StringValue": value}

    def __delitem__(self, name: str) -> None:
        found = self._named(name)
        if not found:
            raise KeyError(name)
        for each in found:
            del self.attributes[each]

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower() for name in self.attributes})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _named(self, name: str) -> list[str]:
        return [each for each in self.attributes if each.lower() == name]

    def _least(self, name: str) -> str | None:
        """The one that is to go for `name`, of those that matter less."""
        less = self._ranks[self._ranks.index(name) + 1 :] if name in self._ranks else ()
        return next((each for each in reversed(less) if each in self.attributes), None)


class Fields(MutableMapping[str, str]):
    """`{field: value}`, str or bytes: an entry of a Redis stream, which has no headers.

    What is added is said in one more field, `MARK`: whoever reads the entry can take out just that.
    """

    MARK = "otelkit"
    __slots__ = ("_fields",)

    def __init__(self, fields: dict[Any, Any]) -> None:
        self._fields = fields

    def added(self, known: Collection[str]) -> list[str]:
        """Those of the `known` fields that the application did not write, and the mark."""
        marked = self.get(self.MARK, "").split(",")
        return [name for name in (*known, self.MARK) if name in (*marked, self.MARK)]

    def _key(self, name: str) -> Any:
        return name if name in self._fields else name.encode()

    def __getitem__(self, name: str) -> str:
        if (found := _text(self._fields[self._key(name)])) is None:
            raise KeyError(name)
        return found

    def __setitem__(self, name: str, value: str) -> None:
        if (key := self._key(name)) in self._fields:  # the application's own
            self._fields[key] = value
            return
        marked = self.get(self.MARK)
        self._fields[name] = value
        self._fields[self.MARK] = name if marked is None else f"{marked},{name}"

    def __delitem__(self, name: str) -> None:
        del self._fields[self._key(name)]

    def __iter__(self) -> Iterator[str]:
        return (name for key in list(self._fields) if (name := _text(key)) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
