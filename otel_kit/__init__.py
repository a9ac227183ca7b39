"""One line in a service, and every hop to and from it is understood.

import otel_kit
otel_kit.instrument("orders")
"""

from otel_kit import outbox, request_reply, webhooks
from otel_kit._instrument import Kit, instrument
from otel_kit.dead_letters import dead_letter
from otel_kit.duplicates import duplicate
from otel_kit.errors import ErrorClass, classify_as
from otel_kit.exceptions import OtelKitError
from otel_kit.gauges.breakers import Breaker, watch_breaker
from otel_kit.gauges.queues import QueueWatch, watch_queue
from otel_kit.hops import (
    Hop,
    call,
    http_request,
    incoming,
    outgoing,
    process,
    rpc_call,
    send,
    serve,
)
from otel_kit.replays import replay
from otel_kit.sagas import Saga, compensate, current_saga, saga, step

__all__ = [
    "Breaker",
    "ErrorClass",
    "Hop",
    "Kit",
    "OtelKitError",
    "QueueWatch",
    "Saga",
    "call",
    "classify_as",
    "compensate",
    "current_saga",
    "dead_letter",
    "duplicate",
    "http_request",
    "incoming",
    "instrument",
    "outbox",
    "outgoing",
    "process",
    "replay",
    "request_reply",
    "rpc_call",
    "saga",
    "send",
    "serve",
    "step",
    "watch_breaker",
    "watch_queue",
    "webhooks",
]
