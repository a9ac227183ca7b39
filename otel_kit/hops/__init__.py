"""The core: what a hop is, and the four verbs that record one.  It knows no library."""

from otel_kit.hops.active import ActiveHop
from otel_kit.hops.around import is_own
from otel_kit.hops.hop import Hop
from otel_kit.hops.http import http_request
from otel_kit.hops.messaging import incoming, outgoing
from otel_kit.hops.rpc import rpc_call
from otel_kit.hops.runtime import (
    Runtime,
    call,
    configure,
    configured,
    current,
    process,
    replayed,
    replaying,
    send,
    serve,
)

__all__ = [
    "ActiveHop",
    "Hop",
    "Runtime",
    "call",
    "configure",
    "configured",
    "current",
    "http_request",
    "incoming",
    "is_own",
    "outgoing",
    "process",
    "replayed",
    "replaying",
    "rpc_call",
    "send",
    "serve",
]
