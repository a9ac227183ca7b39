"""The opening handshake of websockets: what its client sends, and what its server makes of that."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from inspect import isawaitable
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.context import get_current, get_value
from websockets import datastructures, exceptions

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, http_request, serve
from otel_kit.hops.carriers import Headers
from otel_kit.hops.envelope import LONGEST
from otel_kit.hops.http import CONNECTION, operation
from otel_kit.hops.keys import HOP
from otel_kit.hops.propagation import BAGGAGE
from otel_kit.integrations._http_client import asked
from otel_kit.integrations._patch import Call
from otel_kit.integrations._websocket import (
    HEADER,
    OFFER,
    Agreement,
    accepted,
    answer,
    answered,
    wanted,
)

AGREEMENTS: WeakKeyDictionary[Any, Agreement] = WeakKeyDictionary()
"""Of the connections, at either side, whose messages are in envelopes."""


def agreed(connection: Any, agreement: Agreement | None) -> None:
    """Put the connection's messages into envelopes, for which there is room beside the limits."""
    if agreement is None:
        return
    AGREEMENTS[connection] = agreement
    for limit in ("max_message_size", "max_fragment_size", "max_size"):  # as the version has it
        size = getattr(connection.protocol, limit, None)
        if isinstance(size, int):
            setattr(connection.protocol, limit, size + LONGEST)


# -- the client ------------------------------------------------------------------------------------


class _Offer(dict[str, str]):
    """What the hop of a `connect` has its handshakes send."""


def connecting(uri: str) -> Hop | None:
    """The hop of a `connect`; None if the library will refuse the URI."""
    try:
        return replace(asked("GET", uri, _Offer()), convention=CONNECTION)
    except ValueError:
        return None


def opened(hop: ActiveHop, connection: Any) -> None:
    """The server has let the client in."""
    host, port, *_ = _uri(connection)
    _answered(hop, connection.response, f"{host}:{port}")


def refused(hop: ActiveHop, error: Exception) -> None:
    """The handshake has failed: by the server's answer, or without one."""
    if isinstance(error, exceptions.InvalidStatus):
        _answered(hop, error.response, None)


def _answered(hop: ActiveHop, response: Any, address: str | None) -> None:
    hop.status(response.status_code)
    hop.answered(",".join(response.headers.get_all(names.SERVER_TIMING)) or None, address)


def shaking(call: Call) -> Hop:
    """The hop of a client's handshake; none of its own within a `connect`, whose headers it has."""
    given = call["additional_headers"]
    headers = list(datastructures.Headers(given).raw_items()) if given is not None else []
    carrier = Headers(headers)
    for name, value in _offered().items():
        both = name == BAGGAGE and name in carrier
        carrier[name] = f"{value},{carrier[name]}" if both else value
    if wanted():
        headers.append((HEADER, OFFER))
    call["additional_headers"] = headers
    host, port, secure, path = _uri(call.instance)
    scheme = "wss" if secure else "ws"
    url = f"{scheme}://{host}:{port}{path}"
    hop = http_request("GET", carrier=carrier, scheme=scheme, host=host, port=port, url=url)
    return replace(hop, convention=CONNECTION, delivery=call.instance)


def shaken(hop: ActiveHop, _done: None) -> None:
    """The client's handshake has come to its end: what was agreed upon?"""
    connection: Any = hop.hop.delivery
    opened(hop, connection)
    host, port, *_ = _uri(connection)
    offered, said = _once(connection.request), _once(connection.response)
    agreed(connection, answered(offered, said, f"{host}:{port}"))


def _offered() -> _Offer:
    outer = get_value(HOP)
    carrier = outer.hop.carrier if isinstance(outer, ActiveHop) else None
    return carrier if isinstance(carrier, _Offer) else _Offer()


def _uri(connection: Any) -> tuple[str, int, bool, str]:
    protocol = connection.protocol
    uri = getattr(protocol, "uri", None) or protocol.wsuri  # before 15
    return uri.host, uri.port, uri.secure, uri.path


def _once(message: Any) -> str | None:
    """Our header of a request or a response; None if it has not just one."""
    said = message.headers.get_all(HEADER)
    return said[0] if len(said) == 1 else None


# -- the server ------------------------------------------------------------------------------------


class Handshake:
    """Stands in the place of both callbacks of a server's handshake, and calls them."""

    def __init__(self, guard: Callable[..., Any], call: Call) -> None:
        self._guard = guard
        self._request, self._response = call["process_request"], call["process_response"]
        call["process_request"], call["process_response"] = self.requested, self.responding
        self._hop: ActiveHop | None = None
        self._error: Exception | None = None
        """What a callback of the application's raised, of which the library makes an answer."""

    def requested(self, connection: Any, request: Any) -> Any:
        self._guard(self._begin, connection, request)
        return None if self._request is None else self._called(self._request, connection, request)

    def _called(self, callback: Callable[..., Any], *args: Any) -> Any:
        try:
            result = callback(*args)
        except Exception as error:
            self._error = error
            raise
        return self._later(result) if isawaitable(result) else result

    async def _later(self, result: Awaitable[Any]) -> Any:
        try:
            return await result
        except Exception as error:
            self._error = error
            raise

    def _begin(self, connection: Any, request: Any) -> None:
        hop = http_request(
            "GET",
            carrier=Headers(list(request.headers.raw_items())),
            scheme="wss" if _secure(connection) else "ws",
            path=request.path.partition("?")[0],
        )
        # It stays current: in the task, or thread, of this connection's handler.
        self._hop = serve(replace(hop, convention=CONNECTION)).begin(get_current())

    def responding(self, connection: Any, request: Any, response: Any) -> Any:
        other = self._response and self._called(self._response, connection, request, response)
        if isawaitable(other):
            return self._awaited(other, connection, response)
        self._guard(self._answer, connection, other or response)
        return other

    async def _awaited(self, other: Any, connection: Any, response: Any) -> Any:
        changed = await other
        self._guard(self._answer, connection, changed or response)
        return changed

    def _answer(self, connection: Any, response: Any) -> None:
        if self._hop is None:
            return
        if (route := _route(connection)) is not None:
            self._hop.routed(operation("GET", route), {names.HTTP_ROUTE: route})
        if (reply := self._hop.reply()) is not None:
            response.headers[names.SERVER_TIMING] = reply
        agreement = accepted(_once(connection.request), route)
        if agreement is not None and response.status_code == 101:
            response.headers[HEADER] = answer(agreement)
            agreed(connection, agreement)

    def end(self, connection: Any, error: BaseException | None = None) -> None:
        if self._hop is not None:
            if connection.response is not None:
                self._hop.status(connection.response.status_code)
            self._hop.end(error or self._error)
            self._error = None  # no cycle for the garbage collector


def _route(connection: Any) -> str | None:
    """The path with its variables' names, where `route` has chosen the handler."""
    segments = connection.request.path.partition("?")[0].split("/")
    variables = getattr(connection, "handler_kwargs", None)
    if variables is None:
        return None
    for name, value in variables.items():
        if str(value) not in segments:  # a rule's default, or a part of a segment
            return None
        segments[segments.index(str(value))] = f"<{name}>"
    return "/".join(segments)


def _secure(connection: Any) -> bool:
    if (transport := getattr(connection, "transport", None)) is not None:
        return transport.get_extra_info("ssl_object") is not None
    return isinstance(connection.socket, ssl.SSLSocket)
