"""The bridge: hops that other instrumentations see are measured like the kit's own."""

from collections.abc import Iterator, Mapping

import httpx
import pytest
from opentelemetry import propagate
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, AlwaysRecordSampler
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import from_kit

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
Attributes = Mapping[str, AttributeValue]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """The kit with no library instrumented."""
    with capture("tested", disabled_integrations=list(otel_kit.integrations.CATALOGUE)) as found:
        yield found


def other(telemetry: Telemetry) -> Tracer:
    """A tracer of somebody else's instrumentation."""
    return telemetry.tracer_provider.get_tracer("somebody.else")


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, **labels)


@pytest.mark.parametrize(
    ("kind", "attributes", "labels"),
    [
        pytest.param(
            CLIENT,
            {"http.method": "GET", "http.url": "http://u:p@bank:8080/x?y", "http.status_code": 503},
            {
                "transport": "http",
                "operation": "GET",
                "server": "bank:8080",
                "error_class": "unavailable",
            },
            id="HTTP client, names of 1.11",
        ),
        pytest.param(
            CLIENT,
            {"http.request.method": "PUT", "server.address": "bank", "server.port": 80},
            {"transport": "http", "operation": "PUT", "server": "bank:80"},
            id="HTTP client, stable names",
        ),
        pytest.param(
            SERVER,
            {"http.request.method": "GET", "http.route": "/p/{id}", "url.path": "/p/1"},
            {"transport": "http", "operation": "GET /p/{id}", "server": "tested"},
            id="HTTP server, stable names",
        ),
        pytest.param(
            SERVER,
            {"http.request.method": "GET", "http.route": "p/<int:id>", "url.path": "/p/1"},
            {"transport": "http", "operation": "GET /p/<int:id>", "server": "tested"},
            id="HTTP server, a route of Django's",
        ),
        pytest.param(
            SERVER,
            {"http.method": "GET", "http.target": "/p/1", "http.status_code": 404},
            {"transport": "http", "operation": "GET", "error_class": "client_error"},
            id="HTTP server without a route",
        ),
        pytest.param(
            CLIENT,
            {
                "rpc.system": "grpc",
                "rpc.service": "shop.Orders",
                "rpc.method": "Place",
                "rpc.grpc.status_code": 4,
            },
            {
                "transport": "grpc",
                "operation": "shop.Orders/Place",
                "server": "shop.Orders",
                "error_class": "timeout",
            },
            id="gRPC client, names of 1.11",
        ),
        pytest.param(
            SERVER,
            {
                "rpc.system.name": "grpc",
                "rpc.method": "shop.Orders/Place",
                "rpc.response.status_code": "NOT_FOUND",
            },
            {"transport": "grpc", "operation": "shop.Orders/Place", "error_class": "client_error"},
            id="gRPC server, names of 1.44",
        ),
        pytest.param(
            PRODUCER,
            {"messaging.system": "kafka", "messaging.destination": "orders"},
            {"transport": "kafka", "operation": "send orders", "server": "kafka"},
            id="producer, names of 1.11",
        ),
        pytest.param(
            PRODUCER,
            {
                "messaging.system": "rabbitmq",
                "messaging.destination.name": "orders",
                "net.peer.name": "rabbit",
                "net.peer.port": 5672,
            },
            {"transport": "rabbitmq", "operation": "send orders", "server": "rabbitmq"},
            id="producer, names of 1.27",
        ),
        pytest.param(
            CLIENT,
            {"db.system": "postgresql", "peer.service": "orders-db", "net.peer.name": "10.0.0.1"},
            {"transport": "postgresql", "operation": "span", "server": "orders-db"},
            id="database with peer.service",
        ),
        pytest.param(
            CLIENT,
            {"http.request.method": "GET", "service.peer.name": "bank", "server.address": "x"},
            {"transport": "http", "server": "bank"},
            id="service.peer.name",
        ),
    ],
)
def test_conventions_old_and_new_are_read(
    telemetry: Telemetry, kind: SpanKind, attributes: Attributes, labels: dict[str, str]
) -> None:
    """Transport, operation, server and error class come from whichever names a span has."""
    other(telemetry).start_span("span", kind=kind, attributes=attributes).end()

    (point,) = telemetry.points(names.HOP_DURATION)
    found = {key: point.labels.get(key) for key in labels}
    assert found == labels
    assert ("error_class" in point.labels) == ("error_class" in labels)


@pytest.mark.parametrize(
    ("attributes", "error", "kind", "error_class"),
    [
        ({"error.type": "500"}, None, CLIENT, "server_error"),
        ({"error.type": "ConnectError"}, None, CLIENT, "connection"),
        ({"error.type": "timeout"}, None, CLIENT, "timeout"),
        ({}, TimeoutError("slow"), CLIENT, "timeout"),
        ({}, httpx.ReadTimeout("slow"), CLIENT, "timeout"),
        ({}, ValueError("?"), CLIENT, "unknown"),
        ({}, ValueError("?"), SERVER, "server_error"),
        ({"error.type": "NoSuchThing"}, None, SERVER, "server_error"),
    ],
)
def test_errors_are_classed(
    attributes: Attributes, error: Exception | None, kind: SpanKind, error_class: str
) -> None:
    """By `error.type`, by the exception that was recorded, else by whose failure it is."""
    with capture("tested", integrations=["httpx"]) as telemetry:
        span = other(telemetry).start_span("span", kind=kind, attributes=attributes)
        if error is not None:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    assert hops(telemetry, error_class=error_class) == 1


def test_an_uncaught_servicer_exception_is_a_server_error(telemetry: Telemetry) -> None:
    """gRPC's instrumentation says OK of a servicer that raised; the recorded exception tells."""
    attributes: Attributes = {
        "rpc.system": "grpc",
        "rpc.method": "Place",
        "rpc.grpc.status_code": 0,
    }
    span = other(telemetry).start_span("span", kind=SERVER, attributes=attributes)
    span.record_exception(RuntimeError("bug"))
    span.end()

    assert hops(telemetry, error_class="server_error") == 1


def test_receive_and_process_of_one_message_count_once(telemetry: Telemetry) -> None:
    """As confluent-kafka's instrumentation does it: a root span fetches, its child is linked."""
    tracer = other(telemetry)
    sender = SpanContext(1, 2, is_remote=True)
    with tracer.start_as_current_span("recv", kind=CONSUMER):
        process = tracer.start_span("orders process", kind=CONSUMER, links=[Link(sender)])
        process.set_attribute("messaging.system", "kafka")
        process.set_attribute("messaging.destination", "orders")
        process.end()
    with tracer.start_as_current_span("recv", kind=CONSUMER):
        pass  # an empty poll

    assert hops(telemetry, side="consumer", operation="process orders") == hops(telemetry) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="continued") == 1


def test_a_batch_counts_each_of_its_messages(telemetry: Telemetry) -> None:
    """A process span with links counts once for each."""
    links = [Link(SpanContext(1, number, is_remote=True)) for number in (2, 3, 4)]
    attributes: Attributes = {"messaging.system": "kafka", "messaging.operation": "process"}
    other(telemetry).start_span("batch", kind=CONSUMER, links=links, attributes=attributes).end()

    assert hops(telemetry, side="consumer") == 3


def test_two_layers_of_one_request_count_once(telemetry: Telemetry) -> None:
    """A library over another, both instrumented, makes two CLIENT spans of one crossing."""
    tracer = other(telemetry)
    http: Attributes = {"http.request.method": "GET", "server.address": "bank"}
    with tracer.start_as_current_span("outer", kind=CLIENT, attributes=http):
        tracer.start_span("inner", kind=CLIENT, attributes=http).end()
        tracer.start_span("sql", kind=CLIENT, attributes={"db.system": "sqlite"}).end()

    assert hops(telemetry, transport="http") == 1
    assert hops(telemetry, transport="sqlite") == 1


def test_what_a_handler_does_has_not_its_callers_client(telemetry: Telemetry) -> None:
    """A hop that begins within another inbound hop does not take that one's caller for its own."""
    tracer = other(telemetry)
    context = propagate.extract(from_kit("web"))
    with tracer.start_as_current_span("serve", context, SERVER):
        tracer.start_span("process", kind=CONSUMER, attributes={"messaging.system": "kafka"}).end()

    assert hops(telemetry, side="server", client="web") == 1
    assert hops(telemetry, side="consumer", client="unknown") == 1


def test_internal_spans_are_no_hops(telemetry: Telemetry) -> None:
    """Only the four kinds of spans that cross a boundary are measured."""
    other(telemetry).start_span("work", attributes={"http.request.method": "GET"}).end()

    assert hops(telemetry) == 0


def test_our_own_spans_are_not_bridged(telemetry: Telemetry) -> None:
    """A hop of the four verbs counts once, and its span does not say bridged."""
    hop = otel_kit.http_request("GET", carrier={}, scheme="http", host="bank")
    with otel_kit.call(hop):
        pass

    assert names.SPAN_BRIDGED not in (telemetry.span().attributes or {})
    assert hops(telemetry) == 1


def test_hops_are_counted_whatever_the_sampling() -> None:
    """A span that is recorded but not sampled counts as any other."""
    with capture("tested", sampler=AlwaysRecordSampler(ALWAYS_OFF)) as telemetry:
        other(telemetry).start_span("x", kind=CLIENT).end()

    assert telemetry.spans == []
    assert hops(telemetry) == 1


def test_labels_are_bounded(telemetry: Telemetry) -> None:
    """Names that a stranger's instrumentation makes up do not grow the metrics without limit."""
    for number in range(1200):
        attributes: Attributes = {"db.system": f"db {number}", "server.address": f"host {number}"}
        other(telemetry).start_span(f"query {number}", kind=CLIENT, attributes=attributes).end()

    points = telemetry.points(names.HOP_DURATION)
    assert len({point.labels["operation"] for point in points}) <= 1001
    assert len({point.labels["server"] for point in points}) <= 201
    assert len({point.labels["transport"] for point in points}) <= 51


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.status_code": "what", "http.method": 5, "http.url": "http://[::bad"},
        {"rpc.system": "grpc", "rpc.grpc.status_code": 99, "rpc.method": 7},
        {"messaging.system": "kafka", "server.address": '["', "messaging.destination": ("a", "b")},
        {"server.address": "[]", "net.peer.port": "x", "error.type": "." * 500},
    ],
)
@pytest.mark.parametrize("kind", [CLIENT, SERVER, PRODUCER, CONSUMER])
def test_no_attribute_breaks_the_application(
    telemetry: Telemetry, kind: SpanKind, attributes: Attributes
) -> None:
    """A span with nonsense in it ends like any other, and is measured."""
    span: Span = other(telemetry).start_span("span", kind=kind, attributes=attributes)
    span.end()

    assert len(telemetry.spans) == 1
