"""What is peculiar to paho-mqtt: QoS, filters, retained messages, reconnecting, MQTT 3.1.1."""

import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from paho.mqtt import client as mqtt
from paho.mqtt import publish as publishing
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID, from_kit
from otel_kit.testing.contract.messaging import as_headers
from tests.contract.harness.paho_mqtt import connect, new_client, started
from tests.gauges.waiting import until
from tests.servers.mosquitto import Mosquitto

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
PATIENCE = 20.0


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("tested", integrations=["paho-mqtt"]) as recorded:
        yield recorded


@pytest.fixture
def server() -> Mosquitto:
    return Mosquitto.shared()


@pytest.fixture
def topic() -> str:
    return f"shop-{uuid.uuid4().hex[:12]}"


@contextmanager
def connected(server: Mosquitto, *args: Any, **options: Any) -> Iterator[Any]:
    """A client with a thread of its own."""
    client = new_client(*args, **options)
    started(client, server.port)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
        client._reset_sockets()


class Inbox:
    """Remembers what it is called with, and in which span."""

    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[Any, int]] = queue.SimpleQueue()

    def __call__(self, client: Any, userdata: Any, message: Any) -> None:
        self.seen.put((message, span_id()))

    def next(self) -> tuple[Any, int]:
        return self.seen.get(timeout=PATIENCE)


def span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


def subscribe(client: Any, topic: str, qos: int = 2) -> None:
    """Returns when the broker knows."""
    known = threading.Event()
    client.on_subscribe = lambda *_: known.set()
    client.subscribe(topic, qos)
    assert known.wait(PATIENCE)


def drive(client: Any, until: Callable[[], bool]) -> None:
    """Do the work of a client that has no thread."""
    while not until():
        client.loop(0.1)


def consumed(telemetry: Telemetry, count: int = 1) -> Any:
    """The spans of the messages that were handled, when their callbacks have returned."""
    until(lambda: len(telemetry.matching(kind=CONSUMER)) == count)
    return telemetry.matching(kind=CONSUMER)


# -- publishing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_is_one_hop_on_either_side(
    telemetry: Telemetry, server: Mosquitto, topic: str, qos: int
) -> None:
    """With any quality of service; the application's own properties arrive, and stay its own."""
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("x-own", "1")]
    properties.CorrelationData = b"17"
    inbox = Inbox()
    with connected(server, client_id="") as receiver, connected(server) as sender:
        receiver.on_message = inbox
        subscribe(receiver, topic)
        sender.publish(topic, b"value", qos, properties=properties).wait_for_publish(PATIENCE)
        message, inside = inbox.next()
        (handled,) = consumed(telemetry)

    sent = telemetry.span(kind=PRODUCER)
    assert inside == handled.context.span_id
    assert handled.parent.span_id == sent.context.span_id
    assert (message.payload, message.properties.CorrelationData) == (b"value", b"17")
    assert ("x-own", "1") in message.properties.UserProperty
    assert properties.UserProperty == [("x-own", "1")]


def test_what_is_published_in_a_callback_is_its_child(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """A message that follows from another one goes on with its trace."""
    with connected(server) as client:
        client.on_message = lambda *_: client.publish(f"{topic}/next", b"value")
        subscribe(client, topic)
        with server.connected() as other:
            other.subscribe(f"{topic}/next")
            other.publish(topic, b"value", as_headers(SAMPLED))
            other.next()
        (handled,) = consumed(telemetry)
        until(lambda: len(telemetry.matching(kind=PRODUCER)) == 1)

    sent = telemetry.span(kind=PRODUCER)
    assert sent.context.trace_id == TRACE_ID
    assert sent.parent is not None
    assert sent.parent.span_id == handled.context.span_id


def test_what_the_library_calls_is_no_part_of_the_send(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """`on_publish` runs in the midst of `publish`, and outside of its span."""
    inside: list[int] = []
    client = new_client()
    client.on_publish = lambda *_: inside.append(span_id())
    connect(client, server.port)
    client.publish(topic, b"value")
    client.disconnect()

    assert inside == [0]
    assert telemetry.span(kind=PRODUCER).name == f"send {topic}"


def test_a_client_that_takes_no_more_is_throttled(telemetry: Telemetry, topic: str) -> None:
    """The return code is the library's own, and its error is classed."""
    client = new_client()
    client.max_queued_messages_set(1)
    codes = [client.publish(topic, b"value", qos=1).rc for _ in range(2)]

    assert codes == [mqtt.MQTT_ERR_NO_CONN, mqtt.MQTT_ERR_QUEUE_SIZE]
    assert telemetry.count(names.HOP_DURATION, error_class="connection") == 1
    assert telemetry.count(names.HOP_DURATION, error_class="throttled") == 1


@pytest.mark.skipif(
    not hasattr(mqtt, "CallbackAPIVersion"), reason="paho-mqtt reads the broker's reason since 2.0"
)
def test_what_the_broker_refuses_is_an_error(telemetry: Telemetry, topic: str) -> None:
    """The reason that its acknowledgement gives is the error's type."""

    class Guarded(Mosquitto):
        def options(self) -> list[str]:
            rules = self.folder / "rules"
            rules.write_text("topic read #\n")
            return [f"acl_file {rules}"]

    with Guarded() as server, connected(server) as client:
        client.publish(topic, b"value", qos=1).wait_for_publish(PATIENCE)

    attributes = telemetry.span(kind=PRODUCER).attributes or {}
    assert attributes[names.ERROR_TYPE] == "Not authorized"
    assert telemetry.count(names.HOP_DURATION, error_class="client_error") == 1


def test_a_helper_of_the_librarys_sends_as_well(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """`publish.single` makes a client for one message."""
    publishing.single(topic, b"value", qos=1, port=server.port, protocol=mqtt.MQTTv5)

    assert telemetry.span(kind=PRODUCER).name == f"send {topic}"


# -- receiving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["subscription", "callback"])
def test_a_filter_stands_for_what_matches_it(
    telemetry: Telemetry, server: Mosquitto, topic: str, by: str
) -> None:
    """Labels have what was subscribed to, or what the callback is for; the span has the topic."""
    inbox = Inbox()
    wanted = f"{topic}/+/heat"
    with connected(server) as client:
        if by == "callback":
            client.message_callback_add(wanted, inbox)
        else:
            client.on_message = inbox
        subscribe(client, f"{topic}/#" if by == "callback" else wanted)
        with server.connected() as other:
            other.publish(f"{topic}/kitchen/heat", b"value", as_headers(from_kit("shop")))
        inbox.next()
        (handled,) = consumed(telemetry)

    assert handled.attributes[names.MESSAGING_DESTINATION] == f"{topic}/kitchen/heat"
    assert handled.attributes[names.MESSAGING_TEMPLATE] == wanted
    for metric in (names.HOP_DURATION, names.MESSAGING_PROCESS_DURATION):
        (point,) = telemetry.points(metric)
        assert wanted in str(point.labels)
        assert "kitchen" not in str(point.labels)


def test_ids_are_left_out_of_a_topic(telemetry: Telemetry, topic: str) -> None:
    """A thousand devices are one destination for who sends."""
    client = new_client()
    for number in range(3):
        client.publish(f"{topic}/{number}/heat", b"value")

    assert telemetry.count(names.HOP_DURATION, operation=f"send {topic}/+/heat") == 3


def test_callbacks_of_one_message_are_one_hop(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """All that a topic matches are called within it."""
    both = Inbox(), Inbox()
    with connected(server) as client:
        client.message_callback_add(f"{topic}/+", both[0])
        client.message_callback_add(f"{topic}/a", both[1])
        subscribe(client, f"{topic}/a")
        with server.connected() as other:
            other.publish(f"{topic}/a", b"value")
        inside = [inbox.next()[1] for inbox in both]
        (handled,) = consumed(telemetry)

    assert inside == [handled.context.span_id] * 2


def test_what_nobody_is_called_for_is_no_hop(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """Neither is what the broker says of itself."""
    inbox = Inbox()
    with connected(server) as client:
        client.message_callback_add("$SYS/broker/version", inbox)
        subscribe(client, topic)
        with server.connected() as other:
            other.publish(topic, b"value")
        subscribe(client, "$SYS/broker/version")
        inbox.next()

    assert telemetry.spans == []


def test_a_retained_message_waited_for_nobody(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """It goes on with its trace; how old it is says nothing of a queue."""
    inbox = Inbox()
    with server.connected() as other:
        other.publish(topic, b"value", as_headers(from_kit("shop", sent_ns=1)), retain=True)
    with connected(server) as client:
        client.on_message = inbox
        subscribe(client, topic)
        inbox.next()
        (handled,) = consumed(telemetry)

    assert handled.context.trace_id == TRACE_ID
    assert telemetry.count(names.HOP_DURATION, side="consumer", client="shop") == 1
    assert telemetry.points(names.QUEUE_DURATION) == []


def test_a_message_may_be_handled_in_a_pool(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """`process` there goes on with the callback's hop, or stands below it: it counts once."""
    done = threading.Event()

    def work(message: Any) -> None:
        with otel_kit.process(message):
            done.set()

    with ThreadPoolExecutor(1) as pool, connected(server) as client:
        client.on_message = lambda client, userdata, message: pool.submit(work, message)
        subscribe(client, topic)
        with server.connected() as other:
            other.publish(topic, b"value", as_headers(SAMPLED))
        assert done.wait(PATIENCE)

    assert {span.context.trace_id for span in telemetry.spans} == {TRACE_ID}
    assert telemetry.count(names.HOP_DURATION, side="consumer") == 1


# -- crashes ------------------------------------------------------------------------------------


def test_a_message_comes_again_after_a_crash(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """A callback that fails leaves its message to the next connection: two hops, one trace."""
    inside: list[int] = []

    def crash(client: Any, userdata: Any, message: Any) -> None:
        inside.append(span_id())
        if len(inside) == 1:
            raise ConnectionError("on purpose")

    client = new_client(client_id=topic)
    client.on_message = crash
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 60
    client.connect("127.0.0.1", server.port, clean_start=False, properties=session)
    known: list[object] = []
    client.on_connect = lambda client, *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: known.append(1)
    drive(client, lambda: bool(known))
    with server.connected() as other:
        other.publish(topic, b"value", as_headers(SAMPLED))
    with pytest.raises(ConnectionError):
        drive(client, lambda: False)
    client.reconnect()
    drive(client, lambda: len(inside) == 2)
    client.disconnect()
    client._reset_sockets()

    first, second = telemetry.matching(kind=CONSUMER)
    assert inside == [first.context.span_id, second.context.span_id]
    assert {first.context.trace_id, second.context.trace_id} == {TRACE_ID}
    assert (first.attributes or {})[names.ERROR_TYPE] == "ConnectionError"
    assert (second.attributes or {})[names.SPAN_DELIVERY] == 2


def test_a_broker_that_restarts_in_the_middle(telemetry: Telemetry, topic: str) -> None:
    """The application sees what it sees without the kit, and later messages their traces."""
    inbox = Inbox()
    with Mosquitto() as server, connected(server) as client:
        client.reconnect_delay_set(0.05, 0.05)
        client.on_message = inbox
        subscribe(client, topic)
        client.publish(topic, b"before", qos=1).wait_for_publish(PATIENCE)
        before = inbox.next()[0].payload
        server.kill()
        until(lambda: not client.is_connected())
        waits = client.publish(topic, b"meanwhile", qos=1)
        client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        server.start()
        until(lambda: waits._published)
        subscribe(client, topic)
        client.publish(topic, b"after", qos=1).wait_for_publish(PATIENCE)
        payloads = [before]
        while payloads[-1] != b"after":
            payloads.append(inbox.next()[0].payload)
        until(lambda: len(telemetry.matching(kind=CONSUMER)) == len(payloads))

    assert waits.rc == mqtt.MQTT_ERR_NO_CONN
    assert telemetry.count(names.HOP_DURATION, side="producer") == 3
    assert telemetry.count(names.HOP_DURATION, side="producer", error_class="connection") == 1
    senders = {span.context.span_id for span in telemetry.matching(kind=PRODUCER)}
    assert {span.parent and span.parent.span_id for span in telemetry.matching(kind=CONSUMER)} <= (
        senders
    )


# -- MQTT 3.1.1 ---------------------------------------------------------------------------------


def test_a_message_that_has_no_place_for_context_stays_as_it_is(
    telemetry: Telemetry, server: Mosquitto, topic: str
) -> None:
    """Not one byte is added; both sides are hops, and the lost context is counted."""
    inbox = Inbox()
    with connected(server, mqtt.MQTTv311) as client:
        client.on_message = inbox
        subscribe(client, topic)
        with server.connected(4) as other:
            other.subscribe(topic)
            client.publish(topic, b"value", qos=1).wait_for_publish(PATIENCE)
            assert other.next().body == b"value"
        assert inbox.next()[0].payload == b"value"
        (handled,) = consumed(telemetry)

    assert handled.parent is None
    assert telemetry.span(kind=PRODUCER).name == f"send {topic}"
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="missing") == 1


@pytest.mark.parametrize(
    ("payload", "arrives"),
    [(b"\xff\x00", b"\xff\x00"), ("täxt", "täxt".encode()), (17, b"17"), (bytearray(b"v"), b"v")],
)
def test_an_envelope_carries_the_context_where_the_user_says_so(
    server: Mosquitto, topic: str, payload: Any, arrives: bytes
) -> None:
    """The receiver's application has the payload as it was; a stranger sees the head before it."""
    inbox = Inbox()
    with (
        capture("tested", integrations=["paho-mqtt"], envelopes=("mqtt:shop-*",)) as telemetry,
        connected(server, mqtt.MQTTv311) as client,
    ):
        client.on_message = inbox
        subscribe(client, topic)
        with server.connected(4) as other:
            other.subscribe(topic)
            client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE)
            body = other.next().body
        message, inside = inbox.next()
        (handled,) = consumed(telemetry)

    assert body.startswith(b"otelkit/1\n")
    assert body.endswith(arrives)
    assert message.payload == arrives
    assert inside == handled.context.span_id
    assert handled.parent.span_id == telemetry.span(kind=PRODUCER).context.span_id
    assert telemetry.count(names.QUEUE_DURATION) == 1


@pytest.mark.parametrize("payload", [None, b"", ""])
def test_an_empty_payload_takes_a_retained_message_away(
    server: Mosquitto, topic: str, payload: Any
) -> None:
    """It has a meaning of its own, which an envelope would change."""
    with (
        capture("tested", integrations=["paho-mqtt"], envelopes=("mqtt",)),
        connected(server, mqtt.MQTTv311) as client,
        server.connected(4) as other,
    ):
        other.subscribe(topic)
        client.publish(topic, payload, qos=1, retain=True).wait_for_publish(PATIENCE)

        assert other.next().body == b""
