"""NATS with JetStream, and a client of it that is nobody's library."""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

from collector.stack.process import HOST
from tests.servers.base import Server

Headers = list[tuple[str, bytes | None]]
_PATIENCE = 20.0
"""Seconds until an answer that does not come is missing."""


class Nats(Server):
    """Keeps its streams in its folder."""

    name = "NATS"
    program = "nats-server"
    package = "nats-server"

    def command(self, program: str) -> Sequence[str]:
        options = ("-a", HOST, "-p", str(self.port), "-js", "-sd", str(self.folder))
        return [program, *options]

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"nats://{self.address}"

    def restart(self) -> None:
        """End it as an operator does, so that it has written what was acknowledged; start again."""
        self._process.stop()
        self.start()

    @contextmanager
    def connected(self) -> Iterator["Wire"]:
        """A client for a while."""
        with Wire(self.port) as wire:
            yield wire


class Message(NamedTuple):
    """What a subscriber is sent."""

    subject: str
    reply: str
    headers: Headers
    body: bytes


class Wire:
    """The protocol of NATS over a socket, as much of it as tests need."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._inboxes = 0
        self._waiting: list[Message] = []
        assert self._lines.readline().startswith(b"INFO ")
        options = {"verbose": False, "headers": True, "no_responders": True}
        self._write(f"CONNECT {json.dumps(options)}")
        self.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()
        self._socket.close()

    def subscribe(self, subject: str = "") -> str:
        """Subscribe to a subject, or to a new inbox; which."""
        self._inboxes += 1
        subject = subject or f"_INBOX.wire{self._socket.getsockname()[1]}.{self._inboxes}"
        self._write(f"SUB {subject} {self._inboxes}")
        return subject

    def publish(
        self, subject: str, body: bytes = b"", headers: Headers | None = None, reply: str = ""
    ) -> None:
        """Publish; the server may not have it yet."""
        lines = [name.encode() + b": " + (value or b"") for name, value in headers or ()]
        head = b"".join(line + b"\r\n" for line in (b"NATS/1.0", *lines, b""))
        sizes = f"{len(head)} {len(head) + len(body)}"
        self._write(f"HPUB {subject} {reply} {sizes}", head + body)

    def settle(self) -> None:
        """Return when the server has worked through all that was written."""
        self._write("PING")
        while (message := self._read()) is not None:
            self._waiting.append(message)

    def next(self, subject: str = "") -> Message:
        """The next message, of that subject or of any."""
        while True:
            for message in self._waiting:
                if subject in ("", message.subject):
                    self._waiting.remove(message)
                    return message
            if (arrived := self._read()) is not None:
                self._waiting.append(arrived)

    def ask(self, subject: str, **what: Any) -> Mapping[str, Any]:
        """The answer of JetStream's API."""
        inbox = self.subscribe()
        self.publish(subject, json.dumps(what).encode() if what else b"", reply=inbox)
        answer: Mapping[str, Any] = json.loads(self.next(inbox).body)
        assert "error" not in answer, answer
        return answer

    def _write(self, line: str, body: bytes | None = None) -> None:
        end = b"\r\n"
        self._socket.sendall(line.encode() + end + (b"" if body is None else body + end))

    def _read(self) -> Message | None:
        """The next message; None if it is the answer to our PING."""
        while line := self._lines.readline():
            verb, *words = line.decode().split()
            if verb == "PING":
                self._write("PONG")
            elif verb == "PONG":
                return None
            elif verb in ("MSG", "HMSG"):
                return self._message(verb, words)
            else:
                assert verb in ("INFO", "+OK"), line
        raise ConnectionError("the server has gone")

    def _message(self, verb: str, words: list[str]) -> Message:
        size = int(words[-1])
        head = int(words[-2]) if verb == "HMSG" else 0
        content = self._lines.read(size + 2)[:-2]
        sizes = 2 if verb == "HMSG" else 1
        reply = words[2] if len(words) - sizes == 3 else ""
        return Message(words[0], reply, _parsed(content[:head]), content[head:])


def _parsed(head: bytes) -> Headers:
    pairs = [line.partition(b":") for line in head.split(b"\r\n")[1:] if line]
    return [(name.decode(), value.strip()) for name, _, value in pairs]
