"""
websockets: `connect`, `serve` and the messages of their connections, with asyncio and with threads.

A connection's hop is its handshake, at both sides: the client's is a call of `connect`, with its
redirects, or of `ClientConnection.handshake` where `connect` was imported before the kit came; the
server's goes from the request to the answer.  The handler runs below the span of that, which has
ended.

With envelopes agreed upon (`OTEL_KIT_WEBSOCKET_ENVELOPE`) a message is a hop: `send`, and what
`recv` or iterating hands out until the next is asked for, or the connection is closed.  A message
that is read in fragments (`recv_streaming`) makes no hop, and what is sent by `broadcast`, or by a
peer that lost its envelope, begins a trace of its own.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from inspect import iscoroutine
from typing import Any
from weakref import WeakKeyDictionary

from websockets import exceptions

from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop, call
from otel_kit.integrations._shape import Call, Integration
from otel_kit.integrations._websocket import Context, unwrapped, wrapped
from otel_kit.integrations._websockets_handshake import (
    AGREEMENTS,
    Handshake,
    connecting,
    opened,
    refused,
    shaken,
    shaking,
)

_NO_ANSWER = vars(exceptions).get("InvalidMessage")
"""What 14.0 has by that name belongs to the legacy implementation."""
_ASYNC, _SYNC = "websockets.asyncio", "websockets.sync"

integration = Integration(
    "websockets",
    supports="websockets>=14,<18",
    errors={
        exceptions.ConnectionClosed: ErrorClass.CONNECTION,
        exceptions.InvalidHeader: ErrorClass.SERVER_ERROR,
        exceptions.NegotiationError: ErrorClass.SERVER_ERROR,
        exceptions.SecurityError: ErrorClass.SERVER_ERROR,
        exceptions.InvalidURI: ErrorClass.CLIENT_ERROR,
        **({_NO_ANSWER: ErrorClass.CONNECTION} if _NO_ANSWER else {}),
    },
)


# -- handshakes ------------------------------------------------------------------------------------


@integration.wraps(f"{_ASYNC}.client:connect.__await__")
def connecting_in_a_task(wrapped: Any, connect: Any, args: Any, kwargs: Any) -> Any:
    hop = integration._guarded(connecting, connect.uri)
    return wrapped() if hop is None else _connected(wrapped, hop)


def _connected(wrapped: Any, hop: Hop) -> Generator[Any, Any, Any]:
    with call(hop) as active:
        try:
            connection = yield from wrapped()
        except Exception as error:
            integration._guarded(refused, active, error)
            raise
        integration._guarded(opened, active, connection)
        return connection


@integration.calls(f"{_SYNC}.client:connect", answered=opened, failed=refused)
def connecting_in_a_thread(call: Call) -> Hop | None:
    return connecting(call["uri"])


integration.calls(
    f"{_ASYNC}.client:ClientConnection.handshake",
    f"{_SYNC}.client:ClientConnection.handshake",
    answered=shaken,
    failed=refused,
)(shaking)


@integration.wraps(
    f"{_ASYNC}.server:ServerConnection.handshake", f"{_SYNC}.server:ServerConnection.handshake"
)
def serving(wrapped: Any, connection: Any, args: Any, kwargs: Any) -> Any:
    call = integration._guarded(Call.of, wrapped, connection, args, kwargs)
    handshake = integration._guarded(Handshake, integration._guarded, call)
    if handshake is None:
        return wrapped(*args, **kwargs)
    try:
        result = call.proceed(wrapped)
    except BaseException as error:
        integration._guarded(handshake.end, connection, error)
        raise
    if iscoroutine(result):
        return _served(handshake, connection, result)
    integration._guarded(handshake.end, connection)
    return result


async def _served(handshake: Handshake, connection: Any, shaking: Any) -> None:
    try:
        await shaking
    except BaseException as error:
        integration._guarded(handshake.end, connection, error)
        raise
    integration._guarded(handshake.end, connection)


# -- messages --------------------------------------------------------------------------------------

_CONTEXTS: WeakKeyDictionary[Any, Context] = WeakKeyDictionary()
"""What came with the message that a connection has just received."""


def enveloped(hop: ActiveHop, call: Call) -> None:
    call["message"] = wrapped(call["message"], hop.hop.carrier or {})


@integration.sends(
    f"{_ASYNC}.connection:Connection.send", f"{_SYNC}.connection:Connection.send", begun=enveloped
)
def sent(call: Call) -> Hop | None:
    agreement = AGREEMENTS.get(call.instance)
    return None if agreement is None else agreement.sent()


_RECV = f"{_ASYNC}.connection:Connection.recv", f"{_SYNC}.connection:Connection.recv"


@integration.wraps(*_RECV)
def receiving(recv: Any, connection: Any, args: Any, kwargs: Any) -> Any:
    """Before `received` is told: what the library hands out is taken out of its envelope."""
    result = recv(*args, **kwargs)
    if connection not in AGREEMENTS:
        return result
    if iscoroutine(result):
        return _opened_later(connection, result)
    return _opened(connection, result)


def _opened(connection: Any, message: Any) -> Any:
    payload, _CONTEXTS[connection] = unwrapped(message)
    return payload


async def _opened_later(connection: Any, receiving: Any) -> Any:
    return _opened(connection, await receiving)


@integration.processes_each(
    *_RECV,
    closed=(f"{_ASYNC}.connection:Connection.close", f"{_SYNC}.connection:Connection.close"),
)
def received(_: Any, connection: Any) -> Hop | None:
    agreement, context = AGREEMENTS.get(connection), _CONTEXTS.pop(connection, None)
    return None if agreement is None or context is None else agreement.received(context)


@integration.wraps(
    f"{_ASYNC}.connection:Connection.recv_streaming",
    f"{_SYNC}.connection:Connection.recv_streaming",
)
def streaming(recv: Any, connection: Any, args: Any, kwargs: Any) -> Any:
    parts = recv(*args, **kwargs)
    if connection not in AGREEMENTS:
        return parts
    return _aparts(parts) if hasattr(parts, "__aiter__") else _parts(parts)


def _parts(parts: Any) -> Iterator[Any]:
    for first in parts:
        yield unwrapped(first)[0]
        yield from parts


async def _aparts(parts: Any) -> AsyncIterator[Any]:
    async for first in parts:
        yield unwrapped(first)[0]
        async for part in parts:
            yield part
