"""Mosquitto, an MQTT broker, and a client of it that is nobody's library."""

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

from collector.stack.process import HOST
from tests.servers.base import Server

Headers = list[tuple[str, bytes | None]]
_PATIENCE = 20.0
"""Seconds until an answer that does not come is missing."""
_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE = 1, 3, 4, 8
_USER_PROPERTY = 38
_SIZES = {1: 1, 2: 4, 3: None, 8: None, 9: None, 35: 2}
"""Bytes of a message's properties; None: a length of two bytes, and that many."""


class Mosquitto(Server):
    """Keeps its sessions in its folder."""

    name = "Mosquitto"
    program = "mosquitto"
    package = "mosquitto"

    def command(self, program: str) -> Sequence[str]:
        path = self.folder / "mosquitto.conf"
        lines = (
            f"listener {self.port} {HOST}",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self.folder}/",
            "max_inflight_messages 0",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
            *(("user root",) if os.getuid() == 0 else ()),
            *self.options(),
        )
        path.write_text("\n".join(lines) + "\n")
        return [program, "-c", str(path)]

    def options(self) -> Sequence[str]:
        """More lines of its configuration."""
        return ()

    def restart(self) -> None:
        """End it as an operator does, so that it has written what was acknowledged; start again."""
        self._process.stop()
        self.start()

    @contextmanager
    def connected(self, protocol: int = 5) -> Iterator["Wire"]:
        """A client for a while."""
        with Wire(self.port, protocol) as wire:
            yield wire


class Message(NamedTuple):
    """What a subscriber is sent."""

    topic: str
    headers: Headers
    body: bytes
    retained: bool


class Wire:
    """MQTT 5 or 3.1.1 over a socket, as much of it as tests need."""

    def __init__(self, port: int, protocol: int) -> None:
        self._five = protocol == 5
        self._socket = socket.create_connection((HOST, port), _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._waiting: list[Message] = []
        clean = struct.pack("!BBH", protocol, 2, 60)
        self._write(_CONNECT << 4, _text("MQTT") + clean + self._no_properties() + _text(""))
        assert self._read()[1][1] == 0, "refused"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._socket.close()

    def subscribe(self, topic: str) -> None:
        """Returns when the broker knows."""
        self._number += 1
        which = struct.pack("!H", self._number) + self._no_properties()
        self._write(_SUBSCRIBE << 4 | 2, which + _text(topic) + b"\1")
        self._until(_SUBSCRIBE + 1)

    def publish(
        self, topic: str, body: bytes, headers: Headers | None = None, retain: bool = False
    ) -> None:
        """Returns when the broker has it."""
        self._number += 1
        pairs = [_text(name) + _text(value or b"") for name, value in headers or ()]
        properties = b"".join(bytes([_USER_PROPERTY]) + pair for pair in pairs)
        said = _length(len(properties)) + properties if self._five else b""
        which = _text(topic) + struct.pack("!H", self._number) + said
        self._write(_PUBLISH << 4 | 2 | retain, which + body)
        self._until(_PUBACK)

    def next(self) -> Message:
        """The next message."""
        while not self._waiting:
            self._until(_PUBLISH)
        return self._waiting.pop(0)

    def _no_properties(self) -> bytes:
        return b"\0" if self._five else b""

    def _write(self, kind: int, content: bytes) -> None:
        self._socket.sendall(bytes([kind]) + _length(len(content)) + content)

    def _until(self, wanted: int) -> None:
        while True:
            kind, content = self._read()
            if kind >> 4 == _PUBLISH:
                self._waiting.append(self._message(kind, content))
            if kind >> 4 == wanted:
                return

    def _read(self) -> tuple[int, bytes]:
        kind = self._stream.read(1)
        if not kind:
            raise ConnectionError("the broker has gone")
        size = shift = 0
        while True:
            (byte,) = self._stream.read(1)
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind[0], self._stream.read(size)

    def _message(self, kind: int, content: bytes) -> Message:
        topic, content = _taken(content)
        if kind & 6:
            self._write(_PUBACK << 4, content[:2])
            content = content[2:]
        headers: Headers = []
        if self._five:
            size, shift, start = 0, 0, 0
            while True:
                size |= (content[start] & 127) << shift
                shift, start = shift + 7, start + 1
                if content[start - 1] < 128:
                    break
            headers = _properties(content[start : start + size])
            content = content[start + size :]
        return Message(topic.decode(), headers, content, bool(kind & 1))


def _properties(content: bytes) -> Headers:
    found: Headers = []
    while content:
        kind, content = content[0], content[1:]
        if kind == _USER_PROPERTY:
            name, content = _taken(content)
            value, content = _taken(content)
            found.append((name.decode(), value))
        elif (size := _SIZES[kind]) is None:
            _, content = _taken(content)
        else:
            content = content[size:]
    return found


def _text(value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(content)) + content


def _taken(content: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack("!H", content[:2])
    return content[2 : 2 + size], content[2 + size :]


def _length(size: int) -> bytes:
    found = bytearray()
    while True:
        size, rest = divmod(size, 128)
        found.append(rest | (128 if size else 0))
        if not size:
            return bytes(found)
