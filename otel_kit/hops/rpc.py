"""A `Hop` with OpenTelemetry's RPC conventions (release candidate, names as of 1.44)."""

from collections.abc import Mapping
from functools import lru_cache

from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops.hop import Carrier, Convention, Hop, Outcome

GRPC: Mapping[str, ErrorClass] = {
    "CANCELLED": ErrorClass.CANCELLED,
    "UNKNOWN": ErrorClass.SERVER_ERROR,
    "INVALID_ARGUMENT": ErrorClass.CLIENT_ERROR,
    "DEADLINE_EXCEEDED": ErrorClass.TIMEOUT,
    "NOT_FOUND": ErrorClass.CLIENT_ERROR,
    "ALREADY_EXISTS": ErrorClass.CLIENT_ERROR,
    "PERMISSION_DENIED": ErrorClass.CLIENT_ERROR,
    "RESOURCE_EXHAUSTED": ErrorClass.THROTTLED,
    "FAILED_PRECONDITION": ErrorClass.CLIENT_ERROR,
    "ABORTED": ErrorClass.CLIENT_ERROR,
    "OUT_OF_RANGE": ErrorClass.CLIENT_ERROR,
    "UNIMPLEMENTED": ErrorClass.SERVER_ERROR,
    "INTERNAL": ErrorClass.SERVER_ERROR,
    "UNAVAILABLE": ErrorClass.UNAVAILABLE,
    "DATA_LOSS": ErrorClass.SERVER_ERROR,
    "UNAUTHENTICATED": ErrorClass.CLIENT_ERROR,
}
"""gRPC status names and their error classes."""

_SERVER_ERRORS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


@lru_cache(maxsize=256)
def _outcome(status: str, kind: SpanKind) -> Outcome:
    attributes = {names.RPC_STATUS_CODE: status}
    error_class = GRPC.get(status)
    if error_class is None:
        return Outcome(attributes)
    failed = status in _SERVER_ERRORS if kind is SpanKind.SERVER else status != "CANCELLED"
    return Outcome(attributes, error_class, status if failed else None, failed)


CONVENTION = Convention(
    durations={
        SpanKind.SERVER: names.RPC_SERVER_DURATION,
        SpanKind.CLIENT: names.RPC_CLIENT_DURATION,
    },
    labels=(
        names.RPC_SYSTEM,
        names.RPC_METHOD,
        names.RPC_STATUS_CODE,
        names.SERVER_ADDRESS,
        names.SERVER_PORT,
    ),
    outcome=_outcome,
)


def rpc_call(
    method: str,
    *,
    carrier: Carrier | None,
    system: str = "grpc",
    host: str | None = None,
    port: int | None = None,
) -> Hop:
    """A remote procedure call, seen from either side.

    `method` is fully qualified (`package.Service/Method`); a server passes `_OTHER` for methods it
    does not serve, as their names are the caller's to choose.
    """
    attributes: dict[str, str | int] = {names.RPC_SYSTEM: system, names.RPC_METHOD: method}
    if host:
        attributes[names.SERVER_ADDRESS] = host
    if port:
        attributes[names.SERVER_PORT] = port
    address = f"{host}:{port}" if host and port else host
    return Hop(
        system=system,
        operation=method,
        destination=address or "",
        carrier=carrier,
        peer=address,
        attributes=attributes,
        convention=CONVENTION,
    )
