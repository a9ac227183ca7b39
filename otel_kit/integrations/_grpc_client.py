"""What gRPC clients share: the hop of a call, and how each kind of call object tells its end."""

import re
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any
from weakref import finalize, ref

import grpc

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, rpc_call
from otel_kit.hops.carriers import Metadata

Pairs = list[tuple[str, str | bytes]]

STATUS_NAMES: dict[object, str] = {code: code.name for code in grpc.StatusCode} | {
    code.value[0]: code.name for code in grpc.StatusCode
}
"""The name of a status, by the enum's member and by its number."""
_SCHEME = re.compile(
    r"(?P<unix>unix(?:-abstract)?:(?://(?=/))?)"
    r"|[a-z][a-z0-9+.-]*://[^/]*/"
    r"|(?:dns|ipv4|ipv6|vsock|xds|passthrough):"
)
_HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<host>[^:]*)):(?P<port>[0-9]{1,5})")


def outgoing(method: str | bytes, target: bytes | None, metadata: Pairs) -> Hop:
    """The hop of a call; `metadata` is a copy of the caller's, and what is sent."""
    host, port = address(target or b"")
    return rpc_call(_operation(method), carrier=Metadata(metadata), host=host, port=port)


@lru_cache(maxsize=1024)
def _operation(method: str | bytes) -> str:
    return (method if isinstance(method, str) else method.decode()).lstrip("/")


@lru_cache(maxsize=1024)
def address(target: bytes) -> tuple[str | None, int | None]:
    """Host and port of a channel's target (gRPC Name Resolution), of the first where it has more.

    `dns:///orders:50051`, `ipv4:10.0.0.1:80,10.0.0.2:80`, `[::1]:50051`, `orders:50051`: a host;
    `unix:/run/orders.sock`: a path, and no port.
    """
    text = target.decode(errors="replace")
    scheme = _SCHEME.match(text)
    endpoint = text[scheme.end() :] if scheme else text
    if scheme and scheme["unix"]:
        return endpoint or None, None
    first = endpoint.partition(",")[0]
    found = _HOST_AND_PORT.fullmatch(first)
    if found is None:
        return first.strip("[]") or None, None
    return found["ipv6"] or found["host"] or None, int(found["port"])


_targets: dict[object, bytes] = {}


def remember(channel: Any, target: str) -> None:
    """Before grpcio 1.83 a channel of `grpc.aio` does not tell its target: remember it."""
    inner = channel._channel
    if not hasattr(inner, "target"):
        _targets[inner] = target.encode()
        finalize(channel, _targets.pop, inner).atexit = False


def aio_target(inner: object) -> bytes | None:
    """The target of a channel; unknown before 1.83 for one made before `instrument()`."""
    target = getattr(inner, "target", None)
    return target if isinstance(target, bytes) else _targets.get(inner)


def _conclude(hop: ActiveHop, status: object, details: Any, trailing: Any) -> None:
    """What an ended call says of itself; one that was dropped unfinished has no status."""
    name = STATUS_NAMES.get(status, "UNKNOWN") if status is not None else "CANCELLED"
    hop.status(name, details.decode(errors="replace") if isinstance(details, bytes) else details)
    timings = (value for key, value in trailing or () if key == names.SERVER_TIMING)
    hop.answered(",".join(value for value in timings if isinstance(value, str)))


def ended(hop: ActiveHop, result: tuple[Any, Any]) -> None:
    """A blocking call: it has ended by the time it returns."""
    state, _ = result
    _conclude(hop, state.code, state.details, state.trailing_metadata)


def follow(hop: ActiveHop, call: Any) -> Callable[[], None]:
    """A call object of `grpc`: its channel's thread tells, also of one that was dropped.

    Nothing here may refer to the object: one that is dropped half read cancels its call.
    """
    state = call._state

    def done() -> None:
        _conclude(hop, state.code, state.details, state.trailing_metadata)
        hop.end()

    if not call.add_callback(done):
        done()
    return done


def follow_single(hop: ActiveHop, call: Any) -> None:
    """A call object without a thread: nobody tells of one that is cancelled or dropped."""
    done = follow(hop, call)
    finalize(call, _elsewhere, done).atexit = False


def follow_aio(hop: ActiveHop, call: Any) -> None:
    """A call object of `grpc.aio`."""
    alive = ref(call)

    def done() -> None:
        call = alive()
        status = call._cython_call._status if call is not None else None
        if status is None or status.details() == _COLLECTED:
            _elsewhere(dropped)
            return
        _conclude(hop, status.code(), status.details(), status.trailing_metadata())
        hop.end()

    def dropped() -> None:
        _conclude(hop, None, _COLLECTED, None)
        hop.end()

    call._cython_call.add_done_callback(done)


_COLLECTED = "Cancelled upon garbage collection!"
"""What gRPC says of a call that was dropped unfinished."""


def _elsewhere(done: Callable[[], None]) -> None:
    """Garbage is collected anywhere, even where the SDK holds the lock that ending a hop needs.

    So that happens in a thread of its own, started without any of Python's own locks.
    """
    with suppress(RuntimeError):  # the interpreter is shutting down
        start_new_thread(done, ())
