"""What a span of another instrumentation says, in the words of a hop.

Reads the semantic conventions from 1.11, which most instrumentations of OpenTelemetry for Python
still write, to 1.44.  The old names are read here and written nowhere, so they are not in
`names.py`.  Sources: the conventions' migration guides for HTTP, RPC and messaging.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from otel_kit import names
from otel_kit.errors import ErrorClass, classify_http, classify_name
from otel_kit.hops import http
from otel_kit.hops.rpc import GRPC

_METHOD = (names.HTTP_REQUEST_METHOD, "http.method")
_HTTP_STATUS = (names.HTTP_RESPONSE_STATUS_CODE, "http.status_code")
_RPC_SYSTEM = (names.RPC_SYSTEM, "rpc.system")
_RPC_STATUS = (names.RPC_STATUS_CODE, "rpc.grpc.status_code")
_DB_SYSTEM = ("db.system.name", "db.system")
_DESTINATION = (names.MESSAGING_DESTINATION, "messaging.destination", "messaging.temp_destination")
_GROUP = (
    names.MESSAGING_CONSUMER_GROUP,
    "messaging.kafka.consumer.group",
    "messaging.consumer_group",
)
_VERB = (names.MESSAGING_OPERATION_TYPE, "messaging.operation", names.MESSAGING_OPERATION_NAME)
_PEER = (names.PEER_NAME, "peer.service")
_ADDRESS = (names.SERVER_ADDRESS, "net.peer.name", "messaging.url", "net.peer.ip", "http.host")
_PORT = (names.SERVER_PORT, "net.peer.port")
_URL = (names.URL_FULL, "http.url")
_TEMPORAL = ("temporalWorkflowID", "temporalActivityID", "temporalActivityType")
_STATUS_NAMES = ("OK", *GRPC)
_ERRORS = frozenset(ErrorClass)

TEMPORAL = "temporal"
"""The `transport` label of a workflow engine, and the name of its server."""
Attributes = Mapping[str, Any]


class Reading(NamedTuple):
    """A span as a hop."""

    transport: str
    operation: str
    destination: str = ""
    """Topic or queue of a message."""
    peer: str = ""
    """Name of the other side, if the span has one."""
    address: str = ""
    """`host:port` or `host` of the other side."""
    group: str = ""
    receives: bool = False
    """The span fetched messages; it does not handle one."""


def is_ours(span: object) -> bool:
    """Whether the kit made it, which is cheaper to see than what is not on it."""
    scope = getattr(span, "instrumentation_scope", None)
    return scope is not None and scope.name == names.SCOPE


def serves() -> bool:
    """Whether another instrumentation's SERVER span is current: the request is its hop."""
    around = get_current_span()
    return getattr(around, "kind", None) is SpanKind.SERVER and not is_ours(around)


def first(attributes: Attributes, keys: Iterable[str]) -> Any:
    """The first of these attributes that is there, else None."""
    return next((attributes[key] for key in keys if key in attributes), None)


def transport(attributes: Attributes) -> str:
    """The `transport` label: http, grpc, kafka, postgresql, …; unknown if nothing tells."""
    system = first(attributes, (names.MESSAGING_SYSTEM, *_RPC_SYSTEM, *_DB_SYSTEM))
    if system is not None:
        return str(system)
    if first(attributes, (*_METHOD, names.URL_SCHEME)):
        return "http"
    return names.UNKNOWN if first(attributes, _TEMPORAL) is None else TEMPORAL


def read(name: str, kind: SpanKind, attributes: Attributes) -> Reading:
    """What a span of this name and kind with these attributes says; raises nothing."""
    said = Reading(
        transport(attributes),
        name,
        peer=str(first(attributes, _PEER) or ""),
        address=_address(attributes),
    )
    if said.transport == TEMPORAL:
        return said._replace(peer=TEMPORAL)
    if names.MESSAGING_SYSTEM in attributes:
        return _message(kind, attributes, said)
    if first(attributes, _RPC_SYSTEM) is not None:
        return _rpc(attributes, said)
    if said.transport == "http":
        route = first(attributes, (names.HTTP_ROUTE, "url.template"))
        route = None if route is None else http.template(str(route))
        # Without a method it is a WebSocket's handshake.
        method = str(first(attributes, _METHOD) or "GET")
        return said._replace(operation=http.operation(method, route))
    return said


def _message(kind: SpanKind, attributes: Attributes, said: Reading) -> Reading:
    destination = str(first(attributes, _DESTINATION) or "")
    if said.transport == "rabbitmq":  # aio-pika's has "exchange,routing key", either may be empty
        destination = ":".join(filter(None, destination.split(",", 1)))
    return said._replace(
        operation=f"{'send' if kind is SpanKind.PRODUCER else 'process'} {destination}".strip(),
        destination=destination,
        group=str(first(attributes, _GROUP) or ""),
        receives=first(attributes, _VERB) in ("receive", "poll"),
    )


def _rpc(attributes: Attributes, said: Reading) -> Reading:
    method, service = str(attributes.get(names.RPC_METHOD, "")), attributes.get("rpc.service")
    if service and "/" not in method:
        method = f"{service}/{method}"
    # gRPC's instrumentation does not say where a call goes; its service at least is known.
    return said._replace(operation=method, address=said.address or str(service or ""))


def _address(attributes: Attributes) -> str:
    host = first(attributes, _ADDRESS)
    if host is None:
        return _authority(str(first(attributes, _URL) or ""))
    host, port = _first_server(str(host)), first(attributes, _PORT)
    return f"{host}:{port}" if port is not None and ":" not in host else host


def _authority(url: str) -> str:
    """`host:port` of a URL, without credentials."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _first_server(servers: str) -> str:
    """`a:1` of `["a:1", "b:2"]`, as the Kafka instrumentations write their servers, or of `a:1`."""
    try:
        listed = json.loads(servers) if servers[:1] in "[\"'" else servers
    except ValueError:
        return servers
    return str(listed[0] if isinstance(listed, list) and listed else listed)


def error_class(span: Any, attributes: Attributes) -> ErrorClass | None:
    """Why the hop failed: by the transport's status, `error.type`, or the recorded exception."""
    by_status = _by_status(attributes)
    failed = span.status.status_code is StatusCode.ERROR
    if by_status is not None and by_status is not ErrorClass.SERVER_ERROR:
        return by_status
    told = [str(attributes.get(names.ERROR_TYPE, ""))]
    if failed or _uncaught_in_servicer(span, attributes):
        told += [str((event.attributes or {}).get("exception.type", "")) for event in span.events]
    for word in filter(None, reversed(told)):
        found = _by_word(word)
        if found is not None:
            return found
    if by_status is None and not any(told) and not failed:
        return None
    outbound = span.kind in (SpanKind.CLIENT, SpanKind.PRODUCER)
    return by_status or (ErrorClass.UNKNOWN if outbound else ErrorClass.SERVER_ERROR)


def _by_status(attributes: Attributes) -> ErrorClass | None:
    http_status = first(attributes, _HTTP_STATUS)
    if isinstance(http_status, int):
        return classify_http(http_status)
    code = first(attributes, _RPC_STATUS)
    if isinstance(code, int) and 0 <= code < len(_STATUS_NAMES):
        code = _STATUS_NAMES[code]
    return GRPC.get(str(code))


def _by_word(word: str) -> ErrorClass | None:
    """The class of an `error.type`: a status code, a status name, an exception, or our own word."""
    if word in _ERRORS:
        return ErrorClass(word)
    return classify_http(int(word)) if word.isdecimal() else GRPC.get(word) or classify_name(word)


def _uncaught_in_servicer(span: Any, attributes: Attributes) -> bool:
    """gRPC's instrumentation leaves status OK on a servicer that raised; only the event tells."""
    return span.kind is SpanKind.SERVER and first(attributes, _RPC_SYSTEM) is not None
