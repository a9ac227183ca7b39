"""paho-mqtt: publishing, and a callback in the thread that drives the network."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Self, TypeVar

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from otel_kit.testing.contract.base import HandlerError
from otel_kit.testing.contract.callbacks import TIMEOUT, CallbackConsumer
from otel_kit.testing.contract.messaging import Broker, Headers, ProducerHarness
from tests.servers.mosquitto import Mosquitto, Wire

T = TypeVar("T")


class MqttBroker(Broker):
    """Somebody else has subscribed to each topic, and is given whatever is sent."""

    def __init__(self, server: Mosquitto | None = None) -> None:
        server = server or Mosquitto.shared()
        self._server = server
        self.port = server.port
        self._others: dict[str, Wire] = {}

    @classmethod
    def alone(cls) -> Self:
        server = Mosquitto()
        server.start()
        return cls(server)

    def topic(self) -> str:
        name = f"orders-{uuid.uuid4().hex[:12]}"
        other = self._others[name] = Wire(self.port, 5)
        other.subscribe(name)
        return name

    def deliver(self, topic: str, headers: Headers, timestamp_ms: int | None = None) -> None:
        with self._server.connected() as wire:
            wire.publish(topic, b"value", headers)

    def received(self, topic: str, count: int) -> list[Headers]:
        return [self._others[topic].next().headers for _ in range(count)]

    def close(self) -> None:
        for other in self._others.values():
            other.__exit__()
        self._server.close()


def new_client(protocol: int = mqtt.MQTTv5, **options: Any) -> Any:
    """A client, by any version's constructor."""
    if hasattr(mqtt, "CallbackAPIVersion"):
        options["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION2
    return mqtt.Client(protocol=protocol, **options)


def connect(client: Any, port: int) -> None:
    """Connect, without a thread of the client's; returns when the broker has answered."""
    client.connect("127.0.0.1", port)
    while not client.is_connected():
        client.loop(0.1)


def started(client: Any, port: int) -> None:
    """Connect, with a thread of the client's; returns when the broker has answered."""
    known = threading.Event()
    client.on_connect = lambda *_: known.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert known.wait(TIMEOUT)


class OnMqtt:
    library = "paho-mqtt"
    transport = "mqtt"
    brokers = MqttBroker
    broker: MqttBroker


class UserProperties(Properties):
    """Properties that can be compared."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserProperties) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class PahoProducer(OnMqtt, ProducerHarness):
    refusals: ClassVar[Mapping[str, str]] = {"no connection": "connection"}
    unsendable = ({}, TypeError)
    headers_are_lists = False

    def native_headers(self, headers: Mapping[str, str]) -> Any:
        properties = UserProperties(PacketTypes.PUBLISH)
        properties.UserProperty = list(headers.items())
        return properties

    async def open(self) -> None:
        self.client = new_client()
        await asyncio.to_thread(started, self.client, self.broker.port)

    async def close(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)
        self.client._reset_sockets()  # it leaves that to the garbage collector, which warns

    async def send(self, *, value: Any = b"value", headers: Any = None) -> None:
        await self._published(self.topic, payload=value, qos=1, properties=headers)

    async def send_by_position(self, headers: object) -> None:
        await self._published(self.topic, b"value", 1, False, headers)

    async def _published(self, *args: Any, **kwargs: Any) -> None:
        def publish() -> None:
            self.client.publish(*args, **kwargs).wait_for_publish(TIMEOUT)

        await asyncio.to_thread(publish)

    async def send_and_look(self, look: Callable[[], None]) -> None:
        def send() -> None:
            client = new_client()
            connect(client, self.broker.port)
            info = client.publish(self.topic, b"value", qos=1)
            look()
            while not info.is_published():
                client.loop(0.1)
            client.disconnect()

        await asyncio.to_thread(send)

    async def send_refused(self, why: str) -> BaseException:
        info = new_client().publish(self.topic, b"value", qos=1)
        return type(_WORDS[info.rc], (Exception,), {})()


_WORDS = {mqtt.MQTT_ERR_NO_CONN: "MQTT_ERR_NO_CONN"}


class PahoConsumer(OnMqtt, CallbackConsumer):
    def __init__(self, *args: Any, grouped: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, grouped=grouped, **kwargs)
        self.group = "workers" if grouped else None

    def value(self, message: Any) -> bytes:
        payload: bytes = message.payload
        return payload

    async def open(self) -> None:
        self.client = new_client()
        self.client.on_message = lambda client, userdata, message: self.handle(message)
        await asyncio.to_thread(connect, self.client, self.broker.port)
        self._thread = threading.Thread(target=self._drive)
        self._thread.start()
        shared = f"$share/{self.group}/" if self.group else ""
        await self._subscribe(shared + self.topic)

    def _drive(self) -> None:
        with suppress(HandlerError):
            self.client.loop_forever()

    async def _subscribe(self, topic: str) -> None:
        known = threading.Event()
        self.client.on_subscribe = lambda *_: known.set()
        self.client.subscribe(topic, qos=1)
        assert await asyncio.to_thread(known.wait, TIMEOUT)

    async def nothing(self) -> None:
        await self._subscribe(f"{self.topic}/other")  # the answer comes after what came before
        assert self._arrived.empty()

    async def disconnect(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self._thread.join)
