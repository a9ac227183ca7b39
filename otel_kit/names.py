"""Every span, metric and attribute name that otel_kit emits.  Nothing else may spell one.

Names are public API: renaming one is a breaking change.  Where OpenTelemetry's semantic
conventions (1.44) have a name it is used as it stands; our own live under ``otel_kit.``
and ``saga.``.
"""

from typing import Final

SCOPE: Final = "otel_kit"
"""Instrumentation scope of every span, metric and log event the kit makes."""

# -- attributes: semantic conventions ---------------------------------------------------

ERROR_TYPE: Final = "error.type"
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
PEER_NAME: Final = "service.peer.name"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
NETWORK_PROTOCOL_NAME: Final = "network.protocol.name"
NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"

HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_REQUEST_METHOD_ORIGINAL: Final = "http.request.method_original"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
HTTP_RESPONSE_BODY_SIZE: Final = "http.response.body.size"
HTTP_ROUTE: Final = "http.route"
URL_FULL: Final = "url.full"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"
USER_AGENT: Final = "user_agent.original"
CLIENT_ADDRESS: Final = "client.address"

GRAPHQL_OPERATION_NAME: Final = "graphql.operation.name"
GRAPHQL_OPERATION_TYPE: Final = "graphql.operation.type"

RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS_CODE: Final = "rpc.response.status_code"

MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_PARTITION: Final = "messaging.destination.partition.id"
MESSAGING_CONSUMER_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"
MESSAGING_KAFKA_OFFSET: Final = "messaging.kafka.offset"

# -- attributes: ours ---------------------------------------------------------------------

CLIENT: Final = "client"
SERVER: Final = "server"
TRANSPORT: Final = "transport"
SIDE: Final = "side"
OPERATION: Final = "operation"
ERROR_CLASS: Final = "error_class"
DESTINATION: Final = "destination"
GROUP: Final = "group"
RESULT: Final = "result"
SIGNAL: Final = "signal"
REASON: Final = "reason"
OUTCOME: Final = "outcome"
NAME: Final = "name"
STATE: Final = "state"
FROM: Final = "from"
TO: Final = "to"
CONNECTION_TYPE: Final = "connection_type"

SPAN_ERROR_CLASS: Final = "otel_kit.error_class"
"""Span attribute: the error class of the hop, absent on success."""
SPAN_CLIENT: Final = "otel_kit.client"
"""Span attribute of an inbound hop: the service that called or sent."""
SPAN_QUEUE_DURATION: Final = "otel_kit.queue.duration"
"""Span attribute of a CONSUMER span: dwell in seconds, from send to start of handling."""
SPAN_SERVER_DURATION: Final = "otel_kit.server.duration"
"""Span attribute of a CLIENT span: seconds the server itself reports to have taken."""
SPAN_PROPAGATION: Final = "otel_kit.propagation"
"""Span attribute of an inbound hop: continued, missing, invalid or stale."""

EVENT_BREAKER_TRANSITION: Final = "otel_kit.circuit_breaker.transition"
"""Span event on the hop that made a breaker change its state."""
EVENT_BREAKER_REJECTED: Final = "otel_kit.circuit_breaker.rejection"
"""Span event where a breaker refused a call, also if a fallback took its place."""
SPAN_RETRY_ATTEMPT: Final = "otel_kit.retry.attempt"
"""Span attribute: the number of an attempt, from 1."""
SPAN_RETRY_OUTCOME: Final = "otel_kit.retry.outcome"
"""Span attribute of a retried call: success or gave_up."""
SPAN_DEAD_LETTER: Final = "otel_kit.dead_letter"
"""Span attribute of a hop whose message was put aside: the reason."""
SPAN_DUPLICATE: Final = "otel_kit.duplicate"
"""Span attribute: the message had been handled before, and was skipped."""
SPAN_REDRIVEN: Final = "otel_kit.redriven"
"""Attribute of a CONSUMER span and its link to the message's first life: failed attempts before."""
SPAN_BRIDGED: Final = "otel_kit.bridged"
"""Span attribute: this span of another instrumentation stands for a hop, and is measured as one."""

SAGA_ID: Final = "saga.id"
SAGA_NAME: Final = "saga.name"
SAGA_STEP: Final = "saga.step"
SAGA_STEP_KIND: Final = "saga.step.kind"
SAGA_COMPENSATES: Final = "saga.compensates"
SAGA_OUTCOME: Final = "saga.outcome"

EVENT_STEP_STARTED: Final = "saga.step.started"
"""Log event at the start of a step, so that work in progress is visible."""
EVENT_SAGA_FINISHED: Final = "saga.finished"
"""Span event on the span in which a saga was finished; carries ``saga.outcome``."""

# -- metrics: ours ------------------------------------------------------------------------

HOP_DURATION: Final = "otel_kit.hop.duration"
QUEUE_DURATION: Final = "otel_kit.hop.queue.duration"
QUEUE_CLOCK_SKEW: Final = "otel_kit.hop.queue.clock_skew"
PROPAGATION_MESSAGES: Final = "otel_kit.propagation.messages"
QUEUE_DEPTH: Final = "otel_kit.queue.depth"
QUEUE_LAG: Final = "otel_kit.queue.lag"
QUEUE_LAG_TIME: Final = "otel_kit.queue.lag.time"
BREAKER_STATE: Final = "otel_kit.circuit_breaker.state"
BREAKER_TIME: Final = "otel_kit.circuit_breaker.time"
BREAKER_TRANSITIONS: Final = "otel_kit.circuit_breaker.transitions"
BREAKER_REJECTED: Final = "otel_kit.circuit_breaker.rejected"
BREAKER_CHANGED: Final = "otel_kit.circuit_breaker.changed"
"""Gauge: when the present state was entered, seconds since the epoch."""
RETRY_ATTEMPTS: Final = "otel_kit.retry.attempts"
DEAD_LETTERS: Final = "otel_kit.dead_letter.messages"
DUPLICATES: Final = "otel_kit.duplicate.messages"
SAGA_STARTED: Final = "otel_kit.saga.started"
SAGA_FINISHED: Final = "otel_kit.saga.finished"
SAGA_DURATION: Final = "otel_kit.saga.duration"
TELEMETRY_LOST: Final = "otel_kit.telemetry.lost"

# -- metrics: Grafana's service graph ------------------------------------------------------

GRAPH_REQUESTS: Final = "traces_service_graph_request"
GRAPH_FAILED: Final = "traces_service_graph_request_failed"
GRAPH_SERVER: Final = "traces_service_graph_request_server"
GRAPH_CLIENT: Final = "traces_service_graph_request_client"
GRAPH_MESSAGING: Final = "traces_service_graph_request_messaging_system"
"""Grafana's panel asks for these names, with `_total` or `_seconds` behind them in Prometheus."""

# -- metrics: semantic conventions --------------------------------------------------------

HTTP_SERVER_DURATION: Final = "http.server.request.duration"
HTTP_CLIENT_DURATION: Final = "http.client.request.duration"
RPC_SERVER_DURATION: Final = "rpc.server.call.duration"
RPC_CLIENT_DURATION: Final = "rpc.client.call.duration"
MESSAGING_OPERATION_DURATION: Final = "messaging.client.operation.duration"
MESSAGING_PROCESS_DURATION: Final = "messaging.process.duration"
MESSAGING_SENT: Final = "messaging.client.sent.messages"
MESSAGING_CONSUMED: Final = "messaging.client.consumed.messages"

# -- the wire -----------------------------------------------------------------------------

TRACESTATE_KEY: Final = "otelkit"
"""Our member of W3C ``tracestate``."""
SERVER_TIMING: Final = "server-timing"
"""Reply header (HTTP) or trailing metadata key (gRPC)."""
ORIGIN: Final = "otelkit-origin-"
"""Dead letters: what the headers of the message's first life go under."""
ORIGIN_DESTINATION: Final = "otelkit-origin-destination"
"""Dead letters: the topic or queue where the message was first put aside."""
ATTEMPTS: Final = "otelkit-attempts"
"""Dead letters: the history of attempts."""
BREAKER_TRANSPORT: Final = "circuit_breaker"
"""The `transport` label of a call that a breaker refused: it never got as far as a real one."""
UNKNOWN: Final = "unknown"
"""A client that did not say who it is."""
OVERFLOW: Final = "_OTHER"
"""The label value that stands for all values past a limit (semantic conventions' word)."""
