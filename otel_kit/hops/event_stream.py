"""Server-sent events: a response that is one hop to its end, and counts the events in it.

An event is what a browser would dispatch (HTML standard, 9.2): lines with one of `data` among them,
then an empty line.  Comments, such as those that keep a connection open, are none, nor is what the
end of the stream has cut off.
"""

from typing import Final

from otel_kit import names
from otel_kit.hops.active import ActiveHop

TYPE: Final = "text/event-stream"
_BOM: Final = b"\xef\xbb\xbf"
_ENOUGH: Final = len(_BOM + b"data:")
"""Bytes that tell what a line is."""


class Events:
    """Counts the events in the parts of a stream, wherever it was cut."""

    __slots__ = ("_after_cr", "_begun", "_data", "_first", "count")

    def __init__(self) -> None:
        self.count = 0
        self._begun = b""
        self._first = True
        self._after_cr = self._data = False

    def add(self, part: bytes) -> None:
        if self._after_cr and part.startswith(b"\n"):  # the rest of a line's end
            part, self._after_cr = part[1:], False
        if not part:
            return
        lines = (self._begun + part).splitlines()
        self._after_cr = part.endswith(b"\r")
        self._begun = b"" if part.endswith((b"\r", b"\n")) else lines.pop()[:_ENOUGH]
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if line.startswith(b"data:") or line == b"data":
            self._data = True
        elif not line:
            self.count += self._data
            self._data = False


class EventStream:
    """The body of a response that is an event stream, part by part as it is sent or read."""

    __slots__ = ("_begun", "_events", "_hop", "complete")

    def __init__(self, hop: ActiveHop, *, encoded: bool) -> None:
        """`encoded`: what is seen of it is compressed, so its events are not."""
        self._hop = hop
        self._events = None if encoded else Events()
        self._begun = False
        self.complete = False
        """Whether it came to its end: nobody has hung up."""

    def part(self, part: object) -> None:
        """A part has been sent, or has arrived."""
        if not self._begun and part:
            self._begun = True
            self._hop.note(names.SPAN_FIRST_BYTE, self._hop.lasted())
        self.whole(part)

    def whole(self, part: object) -> None:
        """The same of a body that was there at once: nothing is known of its first byte."""
        if self._events is not None and isinstance(part, (bytes, bytearray, memoryview)):
            self._events.add(bytes(part))
            self._hop.note(names.SPAN_EVENTS, self._events.count)


def event_stream(hop: ActiveHop, content_type: str | None, *, encoded: bool) -> EventStream | None:
    """The event stream that a response is by its headers; None if it is anything else."""
    if not content_type or content_type[: len(TYPE)].lower() != TYPE or hop.span is None:
        return None
    return EventStream(hop, encoded=encoded)
