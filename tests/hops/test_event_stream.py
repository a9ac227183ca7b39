"""Server-sent events, counted as a browser would dispatch them, wherever the stream is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_kit.hops.event_stream import Events


def count(*parts: bytes) -> int:
    events = Events()
    for part in parts:
        events.add(part)
    return events.count


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", 0),
        (b"data: 1\n\n", 1),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", 2),
        (b"data: 1\r\rdata: 2\r\r", 2),
        (b"data: 1\ndata: 2\n\n", 1),
        (b"data\n\n", 1),
        (b"data:\n\n", 1),
        (b"\xef\xbb\xbfdata: 1\n\n", 1),
        (b": ping\n\n", 0),
        (b"event: x\nid: 7\n\n", 0),
        (b"database: x\n\n", 0),
        (b" data: x\n\n", 0),
        (b"data: 1\n", 0),
        (b"data: 1\n\ndata: cut off", 1),
        (b"\n\n\n\n", 0),
        (b"event: x\ndata: 1\nid: 7\n\n: y\n\ndata: 2\n\n", 2),
    ],
)
def test_an_event_is_what_a_browser_dispatches(stream: bytes, events: int) -> None:
    """Lines with `data` among them and an empty line, in whole and byte by byte."""
    assert count(stream) == events
    assert count(*(bytes([byte]) for byte in stream)) == events


lines = st.sampled_from([b"data: x", b"data", b"dat", b"id: 1", b": y", b"", b"\xef\xbb\xbf"])
ends = st.sampled_from([b"\n", b"\r", b"\r\n", b""])
streams = st.lists(st.tuples(lines, ends).map(b"".join)).map(b"".join)


@given(streams, st.lists(st.integers(0, 60)))
def test_the_parts_of_a_stream_do_not_matter(stream: bytes, cuts: list[int]) -> None:
    """However a stream is cut, even within a line's end, it has the same events."""
    bounds = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parts = [stream[a:b] for a, b in pairwise(bounds)]

    assert count(*parts) == count(stream)


def test_a_long_line_is_not_kept() -> None:
    """A line that never ends takes no memory: its beginning says what it is."""
    events = Events()
    for _ in range(100):
        events.add(b"data: " + b"x" * 10_000)

    assert len(events._begun) < 10
    events.add(b"\n\n")
    assert events.count == 1
