"""A `Hop` with OpenTelemetry's HTTP conventions (stable since 1.23; names as of 1.44)."""

from dataclasses import replace
from functools import lru_cache

from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.errors import classify_http
from otel_kit.hops.hop import Carrier, Convention, Hop, Outcome

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
"""Known methods; any other is `_OTHER`, in the span's name `HTTP`."""


@lru_cache(maxsize=256, typed=True)  # an `HTTPStatus` equals a number
def _outcome(status: int, kind: SpanKind) -> Outcome:
    attributes = {names.HTTP_RESPONSE_STATUS_CODE: status}
    error_class = classify_http(status)
    if error_class is None:
        return Outcome(attributes)
    # A request the caller got wrong is no failure of the server: the span stays unset.
    failed = kind is SpanKind.CLIENT or status >= 500
    return Outcome(attributes, error_class, str(status) if failed else None, failed)


CONVENTION = Convention(
    durations={
        SpanKind.SERVER: names.HTTP_SERVER_DURATION,
        SpanKind.CLIENT: names.HTTP_CLIENT_DURATION,
    },
    labels=(
        names.HTTP_REQUEST_METHOD,
        names.HTTP_RESPONSE_STATUS_CODE,
        names.HTTP_ROUTE,
        names.URL_SCHEME,
        names.SERVER_ADDRESS,
        names.SERVER_PORT,
        names.NETWORK_PROTOCOL_VERSION,
    ),
    outcome=_outcome,
)

CONNECTION = replace(CONVENTION, durations={})
"""A WebSocket: its handshake is an HTTP request, its open time no request's duration."""

_OPTIONAL = (
    names.SERVER_ADDRESS,
    names.SERVER_PORT,
    names.URL_FULL,
    names.URL_PATH,
    names.NETWORK_PROTOCOL_VERSION,
    names.HTTP_ROUTE,
)


def http_request(
    method: str,
    *,
    carrier: Carrier | None,
    scheme: str,
    route: str | None = None,
    host: str | None = None,
    port: int | None = None,
    url: str | None = None,
    path: str | None = None,
    version: str | None = None,
) -> Hop:
    """An HTTP request, seen from either side.

    `host` and `port` are the client's address of the server; a server gives `path`, and `route`
    once it is known (see `ActiveHop.routed`).  `url` should hold neither credentials nor secrets.
    """
    known = method if method in METHODS else names.OVERFLOW
    attributes: dict[str, str | int] = {names.HTTP_REQUEST_METHOD: known, names.URL_SCHEME: scheme}
    if known != method:
        attributes[names.HTTP_REQUEST_METHOD_ORIGINAL] = method[:32]
    optional = (host, port, url, path, version, route)
    described = zip(_OPTIONAL, optional, strict=True)
    attributes.update({name: value for name, value in described if value is not None})
    address = host if host is None or port is None else f"{host}:{port}"
    return Hop(
        system="http",
        operation=operation(method, route),
        destination=address or "",
        carrier=carrier,
        peer=address,
        attributes=attributes,
        convention=CONVENTION,
    )


def operation(method: str, route: str | None) -> str:
    """Span name and label: `{method} {route}`, the method alone where no route is known."""
    verb = method if method in METHODS else "HTTP"
    return f"{verb} {route}" if route else verb


def template(route: str) -> str:
    """A route as a path is written: Django's lack its slash.  A regular expression stays."""
    return route if route.startswith(("/", "^")) else f"/{route}"
