"""Headers of every shape, read tolerantly and written without leftovers."""

from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest

from otel_kit.hops.carriers import (
    Attributes,
    BytesPairs,
    Fields,
    Headers,
    Mapped,
    Metadata,
    Pairs,
)
from otel_kit.hops.propagation import Propagator, inbound


def test_kafka_headers_are_strings_and_bytes() -> None:
    """Pairs writes `(str, bytes)`."""
    headers: list[tuple[object, object]] = [("own", b"1")]
    Pairs(headers)["traceparent"] = "00"

    assert headers == [("own", b"1"), ("traceparent", b"00")]


def test_asgi_headers_are_bytes() -> None:
    """BytesPairs reads and writes `(bytes, bytes)`."""
    view = BytesPairs([(b"TraceParent", b"00")])
    view["baggage"] = "a=b"

    assert view["traceparent"] == "00"
    assert (b"baggage", b"a=b") in view.pairs


def test_writing_replaces_every_earlier_value() -> None:
    """A name stands once after it was written, whatever its case was before."""
    view = Metadata([("TRACEPARENT", "old"), ("x", "1"), ("traceparent", "older")])
    view["traceparent"] = "new"

    assert view.pairs == [("x", "1"), ("traceparent", "new")]


def test_a_mapping_is_changed_in_place() -> None:
    """Names of any case and of bytes are found, replaced and taken away; the others stay."""
    headers: dict[Any, Any] = {"TraceParent": "old", b"traceparent": b"older", "x": 1, b"B": b"2"}
    view = Mapped(headers)
    view["traceparent"] = "new"
    del view["b"]

    assert headers == {"traceparent": "new", "x": 1}
    assert view["traceparent"] == "new"
    assert "b" not in view


def test_a_mapping_that_knows_no_case_may_repeat_a_name() -> None:
    """The names it gives differ in case, and to it they are one."""

    class Caseless(UserDict[str, str]):
        def __contains__(self, name: object) -> bool:
            return any(key.lower() == str(name).lower() for key in self.data)

        def __delitem__(self, name: str) -> None:
            self.data = {key: self.data[key] for key in self.data if key.lower() != name.lower()}

    headers = Caseless({"Baggage": "a=1", "baggage": "b=2", "x": "1"})
    view = Mapped(headers)
    assert view["baggage"] == "a=1,b=2"
    view["baggage"] = "c=3"

    assert headers.data == {"x": "1", "baggage": "c=3"}


def test_the_last_value_counts() -> None:
    """Of a repeated name the value that was added last is read."""
    assert Pairs([("a", b"1"), ("a", b"2")])["a"] == "2"


def test_repeated_tracestate_is_one_list() -> None:
    """Repeated tracestate fields are combined (RFC 9110, section 5.3)."""
    assert BytesPairs([(b"tracestate", b"a=1"), (b"tracestate", b"b=2")])["tracestate"] == "a=1,b=2"


def test_two_traceparents_of_one_request_are_invalid() -> None:
    """W3C's processing model takes no one of several fields; of a message's the last counts."""
    fields = [(b"traceparent", b"00-%032x-%016x-01" % (n, n)) for n in (1, 2)]
    views = (BytesPairs(fields), Pairs([("traceparent", value) for _, value in fields]))
    results = [inbound(Propagator("x").extract(view)).result for view in views]

    assert results == ["invalid", "continued"]


@pytest.mark.parametrize("value", [None, b"\xff\xfe", 7, object(), "é".encode()])
def test_what_cannot_be_decoded_is_absent(value: object) -> None:
    """Undecodable and foreign values are as if they were not there."""
    view = Pairs([("traceparent", value), (None, b"x"), (b"\xff", b"y")])

    assert view.get("traceparent") is None
    assert set(view) <= {"traceparent"}


def test_deleting_what_is_not_there_is_a_key_error() -> None:
    """The views behave as mappings do."""
    view = Pairs([("a", b"1")])
    del view["a"]

    with pytest.raises(KeyError):
        del view["a"]
    assert len(view) == 0


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview], ids=lambda make: make.__name__)
def test_names_of_any_case_and_kind(make: Callable[[bytes], object]) -> None:
    """A header is found whatever the case and the kind of bytes of its name, among any others."""
    others = [(make(b"Host"), b"a"), (None, b"b"), (7, b"c"), (make(b"tracepar\xffnt"), b"d")]
    headers = BytesPairs([*others, (make(b"TraceParent"), b"e")])
    assert headers["traceparent"] == "e"
    headers["traceparent"] = "f"
    assert headers.pairs == [*others, (b"traceparent", b"f")]


@pytest.mark.parametrize("view", [Pairs, BytesPairs, Metadata])
def test_several_are_read_in_one_pass_as_each_by_itself(view: type[Headers]) -> None:
    """Also what stands twice, in another case, or cannot be decoded."""
    pairs = [
        ("traceparent", b"one"),
        (b"TraceParent", "two"),
        ("tracestate", "a=1"),
        (b"tracestate", b"b=2"),
        ("baggage", b"\xff"),
        (7, "x"),
        ("other", "x"),
    ]
    wanted = ("traceparent", "tracestate", "baggage")
    headers = view(list(pairs))

    assert headers.some(wanted) == {name: headers[name] for name in wanted if name in headers}
    assert set(headers.some(wanted)) == {"traceparent", "tracestate"}


def test_fields_of_an_entry_say_what_was_added() -> None:
    """A field of the application's is renewed in place; what is added is marked as such."""
    fields: dict[object, object] = {b"total": b"12", b"tracestate": b"its=own"}
    view = Fields(fields)
    view["tracestate"] = "a=b"
    view["traceparent"] = "00"
    view["baggage"] = "c=d"

    assert fields == {
        b"total": b"12",
        b"tracestate": "a=b",
        "traceparent": "00",
        "otelkit": "traceparent,baggage",
        "baggage": "c=d",
    }
    known = ("traceparent", "tracestate", "baggage")
    assert view.added(known) == ["traceparent", "baggage", "otelkit"]
    assert sorted(view) == ["baggage", "otelkit", "total", "traceparent", "tracestate"]


def test_attributes_are_read_in_either_shape() -> None:
    """Those of a message, and those in the envelope of a notification; nonsense is absent."""
    view = Attributes(
        {
            "TraceParent": {"DataType": "String", "StringValue": "00"},
            "tracestate": {"Type": "String", "Value": "a=b"},
            "baggage": {"DataType": "Binary", "BinaryValue": b"a=b"},
            "own": "no attribute",
        }
    )

    assert (view["traceparent"], view["tracestate"]) == ("00", "a=b")
    assert (view.get("baggage"), view.get("own"), view.get("absent")) == (None, None, None)
    assert sorted(view) == ["baggage", "own", "traceparent", "tracestate"]
    assert len(view) == 4


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_attributes_are_ten_at_most(order: tuple[int, ...], room: int) -> None:
    """Whatever is written first, the context comes before what goes with it."""
    names = ["traceparent", "tracestate", "baggage"]
    own = {f"own-{number}": {"DataType": "String"} for number in range(10 - room)}
    view = Attributes(dict(own))
    for each in order:
        view[names[each]] = "value"

    assert list(view.attributes)[: len(own)] == list(own)
    assert set(view.attributes) == {*own, *names[:room]}
    assert view.lacked_room is (room < 3)


def test_an_attribute_is_replaced_where_there_is_no_room() -> None:
    """A message that is sent on has its context already."""
    own = {f"own-{number}": {"DataType": "String"} for number in range(9)}
    view = Attributes({**own, "TRACEPARENT": {"DataType": "String", "StringValue": "old"}})
    view["traceparent"] = "new"
    del view["traceparent"]

    assert view.attributes == own
    with pytest.raises(KeyError):
        del view["traceparent"]
