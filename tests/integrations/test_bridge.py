"""The bridge: hops that other instrumentations see are measured like the kit's own."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fastapi
import httpx
import pytest
from opentelemetry import propagate
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.kafka import KafkaInstrumentor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, AlwaysRecordSampler
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.contexts import from_kit
from tests.contract.harness.aiokafka import AiokafkaIterated, AiokafkaProducer
from tests.contract.harness.base import Behaviour
from tests.contract.harness.httpx import HttpxAsync, HttpxSync
from tests.contract.harness.kafka_python import KafkaPythonConsumer, KafkaPythonProducer
from tests.contract.harness.messaging import ConsumerHarness, ProducerHarness
from tests.contract.harness.starlette import FastApi, Starlette

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
Attributes = Mapping[str, AttributeValue]


@contextmanager
def bridged(*libraries: str, **options: Any) -> Iterator[Telemetry]:
    """OpenTelemetry's instrumentations of the libraries, with the kit around them."""
    with capture("tested", prefer="contrib", integrations=libraries, **options) as telemetry:
        yield telemetry


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


# -- OpenTelemetry's own instrumentations, chosen by prefer="contrib" ----------------------------


@pytest.mark.parametrize("harness", [HttpxSync, HttpxAsync], ids=lambda h: h.__name__)
async def test_a_request_by_contrib_httpx_is_an_edge(harness: type[HttpxSync]) -> None:
    """One CLIENT span, not ours, and one edge with the server's address and the error's class."""
    with bridged("httpx") as telemetry:
        async with harness() as client:
            await client.request(Behaviour.OK)
            await client.request(Behaviour.THROTTLED)
            address = client.address

    labels = {"client": "tested", "server": address, "transport": "http", "operation": "GET"}
    assert [s.instrumentation_scope.name for s in telemetry.spans if s.instrumentation_scope] == [
        "opentelemetry.instrumentation.httpx"
    ] * 2
    assert hops(telemetry, side="client", **labels) == 2
    assert hops(telemetry, error_class="throttled", **labels) == 1


async def test_a_request_that_raises_is_counted_and_classed() -> None:
    """A refused connection, which contrib does not measure, is an edge of class connection."""
    with bridged("httpx") as telemetry:
        async with HttpxAsync() as client:
            with pytest.raises(httpx.ConnectError):
                await client.unreachable()

    assert hops(telemetry, side="client", error_class="connection") == 1


async def test_an_outgoing_request_by_contrib_carries_our_member() -> None:
    """The callee learns the caller's name whoever makes the span."""
    with bridged("httpx") as telemetry:
        async with HttpxAsync() as client:
            await client.request(Behaviour.OK)

    span_id = telemetry.span(kind=CLIENT).context.span_id
    assert client.seen[0].headers["tracestate"] == f"otelkit=c:tested;p:{span_id:016x}"


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [(KafkaPythonProducer, KafkaPythonConsumer), (AiokafkaProducer, AiokafkaIterated)],
    ids=["kafka-python", "aiokafka"],
)
async def test_a_message_by_contrib_is_two_edges(
    producer: type[ProducerHarness], consumer: type[ConsumerHarness]
) -> None:
    """A send and a receipt are counted once each, the latter with its sender and its dwell."""
    with bridged(producer.library) as telemetry:
        async with producer() as sender, consumer(topic=sender.topic) as receiver:
            await sender.send()
            await receiver.next()

    topic = sender.topic
    assert len(telemetry.spans) == 2
    assert hops(telemetry) == 2
    edge = {"client": "tested", "transport": "kafka"}
    assert hops(telemetry, side="producer", server="kafka", operation=f"send {topic}", **edge) == 1
    assert (
        hops(telemetry, side="consumer", server="tested", operation=f"process {topic}", **edge) == 1
    )
    assert telemetry.count(names.QUEUE_DURATION, destination=topic, **edge) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="continued", destination=topic) == 1


@pytest.mark.parametrize("consumer", [KafkaPythonConsumer, AiokafkaIterated])
async def test_a_message_without_context_is_counted_as_lost(
    consumer: type[ConsumerHarness],
) -> None:
    """The receipt of an uninstrumented sender's message is an edge of an unknown client."""
    with bridged(consumer.library) as telemetry:
        async with consumer() as receiver:
            await receiver.deliver()
            await receiver.next()

    assert hops(telemetry, client="unknown", side="consumer") == hops(telemetry) == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="missing") == 1


async def test_each_message_of_contribs_getmany_counts_once() -> None:
    """Of its spans for the poll, for the topic and for each message only the last are hops."""
    with bridged("aiokafka") as telemetry:
        async with AiokafkaIterated() as consumer:
            await consumer.deliver(from_kit("shop"))
            await consumer.deliver(from_kit("web"))
            await consumer.deliver()
            await consumer.batch(3)

    for client in ("shop", "web", "unknown"):
        assert hops(telemetry, side="consumer", client=client) == 1
    assert hops(telemetry) == 3


async def test_a_message_that_contrib_received_is_not_counted_again() -> None:
    """`process(record)` gives the handler its span; the message was counted at its receipt."""
    with bridged("kafka-python") as telemetry:
        async with KafkaPythonConsumer() as consumer:
            await consumer.deliver(from_kit("shop"))
            record = await consumer.next()
            with otel_kit.process(record):
                pass

    assert len(telemetry.matching(kind=CONSUMER)) == 2
    assert hops(telemetry, client="shop") == 1


async def test_fastapis_native_span_is_the_one_server_span() -> None:
    """With prefer="contrib" FastAPI's own telemetry makes the span, and the kit the edge."""
    with bridged("fastapi", "starlette") as telemetry:
        harness = FastApi()
        make = harness._app

        def app() -> fastapi.FastAPI:
            made: fastapi.FastAPI = make()
            made._telemetry["tracer_provider"] = telemetry.tracer_provider
            return made

        harness._app = app  # type: ignore[method-assign]
        async with harness:
            await harness.request(Behaviour.OK, headers=from_kit("web"))
            await harness.request(Behaviour.SERVER_ERROR)

    ok, failed = telemetry.matching(kind=SERVER)
    assert ok.instrumentation_scope is not None
    assert ok.instrumentation_scope.name == "fastapi"
    edge = {"server": "tested", "transport": "http", "operation": FastApi.operation}
    assert hops(telemetry, client="web", **edge) == 1
    assert hops(telemetry, client="unknown", error_class="server_error", **edge) == 1
    assert hops(telemetry) == 2
    assert failed.status.status_code is StatusCode.ERROR


async def test_a_request_to_contribs_starlette_is_an_edge() -> None:
    """One SERVER span, not ours, and one edge with the caller's name."""
    with bridged("starlette") as telemetry:
        async with Starlette() as server:
            await server.request(Behaviour.OK, headers=from_kit("web"))

    scope = telemetry.span(kind=SERVER).instrumentation_scope
    assert scope is not None
    assert scope.name == "opentelemetry.instrumentation.starlette"
    assert hops(telemetry, client="web", operation=Starlette.operation) == hops(telemetry) == 1


@pytest.mark.parametrize("first", ["application", "kit"])
async def test_an_application_that_activates_contrib_has_one_span_a_request(first: str) -> None:
    """Ours steps aside for an instrumentor of the application's, before or after `instrument()`."""
    instrumentor = HTTPXClientInstrumentor()
    if first == "application":
        instrumentor.instrument()
    try:
        with capture("tested", integrations=["httpx"]) as telemetry:
            if first == "kit":
                instrumentor.instrument()
            instrumentor_tracer(instrumentor, telemetry)
            async with HttpxAsync() as client:
                await client.request(Behaviour.OK)
    finally:
        instrumentor.uninstrument()

    assert len(telemetry.spans) == 1
    assert hops(telemetry, side="client") == 1


def instrumentor_tracer(instrumentor: HTTPXClientInstrumentor, telemetry: Telemetry) -> None:
    """What a global provider would do: the instrumentor's spans go to this telemetry."""
    instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=telemetry.tracer_provider)


@pytest.mark.parametrize("first", ["application", "kit"])
async def test_an_application_that_activates_contrib_kafka_has_one_span_a_message(
    first: str,
) -> None:
    """The same for kafka-python, on both sides."""
    instrumentor = KafkaInstrumentor()
    telemetry_of_application = Telemetry("tested")
    provider = telemetry_of_application.tracer_provider
    if first == "application":
        instrumentor.instrument(tracer_provider=provider)
    try:
        with capture("tested", integrations=["kafka-python"]) as telemetry:
            if first == "kit":
                instrumentor.instrument(tracer_provider=provider)
            async with KafkaPythonProducer() as producer, KafkaPythonConsumer() as consumer:
                await producer.send()
                await consumer.deliver()
                await consumer.next()
    finally:
        instrumentor.uninstrument()

    assert telemetry.spans == []
    assert len(telemetry_of_application.spans) == 2


async def test_after_the_kit_the_applications_instrumentor_is_still_there() -> None:
    """The kit takes back its own wrapper only, also from below one that came later."""
    instrumentor = HTTPXClientInstrumentor()
    try:
        with capture("tested", integrations=["httpx"]) as telemetry:
            instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
        async with HttpxAsync() as client:
            await client.request(Behaviour.OK)
    finally:
        instrumentor.uninstrument()

    assert len(telemetry.spans) == 1


def test_contrib_is_asked_for_the_stable_names() -> None:
    """`prefer="contrib"` sets OpenTelemetry's opt-in unless the environment has one."""
    program = (
        "import os, httpx\n"
        "from otel_kit.testing import capture\n"
        "with capture('x', integrations=['httpx']): pass\n"
        "print(os.environ.get('OTEL_SEMCONV_STABILITY_OPT_IN'))\n"
        "with capture('x', prefer='contrib', integrations=['httpx']): pass\n"
        "print(os.environ['OTEL_SEMCONV_STABILITY_OPT_IN'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={}
    )

    assert done.stdout.split() == ["None", "http,database"]


# -- spans of any other instrumentation -----------------------------------------------------------


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
