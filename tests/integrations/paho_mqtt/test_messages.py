"""What is peculiar to paho-mqtt: QoS, callbacks, filters, retained messages."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from paho.mqtt import client as mqtt
from paho.mqtt import publish as publishing
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID, from_kit
from otel_kit.testing.contract.messaging import as_headers
from tests.contract.harness.paho_mqtt import connect, new_client
from tests.gauges.waiting import until
from tests.integrations.paho_mqtt.clients import (
    PATIENCE,
    Inbox,
    connected,
    consumed,
    span_id,
    subscribe,
)
from tests.servers.mosquitto import Mosquitto

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


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


def test_a_topic_that_is_no_text_is_handed_out_all_the_same(telemetry: Telemetry) -> None:
    """The library calls the callback, which may make of it what it can; it is no hop."""
    inbox = Inbox()
    client = new_client()
    client.on_message = inbox
    message = mqtt.MQTTMessage(topic=b"\xff")
    client._handle_on_message(message)

    assert inbox.next() == (message, 0)
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
