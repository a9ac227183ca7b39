"""paho-mqtt when a connection is lost, and where MQTT 3.1.1 has no place for context."""

from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from otel_kit.testing.contract.messaging import as_headers
from tests.contract.harness.paho_mqtt import new_client
from tests.gauges.waiting import until
from tests.integrations.paho_mqtt.clients import (
    PATIENCE,
    Inbox,
    connected,
    consumed,
    drive,
    span_id,
    subscribe,
)
from tests.servers.mosquitto import Mosquitto

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


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
