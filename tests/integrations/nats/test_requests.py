"""What is peculiar to nats-py: requests, names, and what is no message at all."""

import asyncio
from inspect import signature
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry
from otel_kit.testing.contract.contexts import SAMPLED
from otel_kit.testing.contract.messaging import as_headers
from tests.integrations.nats.clients import kinds
from tests.servers.nats import Nats

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER


async def answer(message: Msg) -> None:
    await message.respond(b"answer")


async def answered_spans(telemetry: Telemetry, client: Any) -> Any:
    """The spans of a request, when the handler has returned."""
    await client.flush()
    await asyncio.sleep(0)
    (asked,) = telemetry.matching(kind=CLIENT)
    (served,) = telemetry.matching(kind=SERVER)
    return asked, served


# -- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", [{}, {"old_style": True}], ids=["new style", "old style"])
async def test_a_request_is_one_round_trip(
    telemetry: Telemetry, client: Any, style: dict[str, Any]
) -> None:
    """The requester calls, the handler serves; the answer is no message, its inbox no label."""
    await client.subscribe("help.please", cb=answer)
    got = await client.request("help.please", b"question", **style)
    asked, served = await answered_spans(telemetry, client)

    assert got.data == b"answer"
    assert kinds(telemetry) == ["CLIENT", "SERVER"]
    assert (asked.name, served.name) == ("request help.please", "process help.please")
    assert served.parent.span_id == asked.context.span_id
    for side in ("client", "server"):
        (point,) = telemetry.points(names.HOP_DURATION, side=side)
        assert "_INBOX" not in str(point.labels)


async def test_who_answers_says_its_name(telemetry: Telemetry, client: Any) -> None:
    """The requester's edge names the service that answered, not the subject."""
    await client.subscribe("help", cb=answer)
    await client.request("help", b"question")

    assert telemetry.count(names.HOP_DURATION, side="client", server="tested") == 1


async def test_an_answer_without_the_kit_is_one_as_well(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """The edge is with the subject where nobody says who answers."""
    with server.connected() as other:
        other.subscribe("help.other")
        other.settle()
        asking = asyncio.create_task(client.request("help.other", b"question", timeout=20))
        asked = await asyncio.to_thread(other.next)
        other.publish(asked.reply, b"answer")
        assert (await asking).data == b"answer"

    assert telemetry.count(names.HOP_DURATION, side="client", server="help.other") == 1


async def test_nobody_to_answer_is_unavailable(telemetry: Telemetry, client: Any) -> None:
    """The library's exception is raised, and classed."""
    with pytest.raises(nats.errors.NoRespondersError):
        await client.request("nobody", b"question")

    assert telemetry.count(names.HOP_DURATION, error_class="unavailable") == 1


async def test_an_answer_that_does_not_come_is_a_timeout(telemetry: Telemetry, client: Any) -> None:
    """The requester's hop ends with its patience."""
    await client.subscribe("silent")
    with pytest.raises(nats.errors.TimeoutError):
        await client.request("silent", b"question", timeout=0.01)

    assert telemetry.count(names.HOP_DURATION, side="client", error_class="timeout") == 1


async def test_a_request_may_be_served_in_a_loop(telemetry: Telemetry, client: Any) -> None:
    """`next_msg` hands out a request as well: its handler serves, and `process` goes on with it."""
    subscription = await client.subscribe("loop")
    asking = asyncio.create_task(client.request("loop", b"question", timeout=20))
    message = await subscription.next_msg(20)
    with otel_kit.process(message):
        await message.respond(b"answer")
    await asking

    _, served = await answered_spans(telemetry, client)
    assert kinds(telemetry) == ["CLIENT", "SERVER"]
    assert served.name == "process loop"


async def test_headers_of_a_request_stay_the_callers(telemetry: Telemetry, client: Any) -> None:
    """They arrive beside the context, and are not changed."""
    own = {"x-own": "1"}
    await client.subscribe("help", cb=answer)
    got = await client.request("help", b"question", headers=own)

    assert own == {"x-own": "1"}
    assert got.headers["x-own"] == "1"  # `respond` sends back what came


async def test_a_service_of_the_librarys_serves(telemetry: Telemetry, client: Any) -> None:
    """An endpoint of `nats.micro` is a handler; what the library answers for it is no hop."""
    micro = pytest.importorskip("nats.micro", reason="nats-py has it since 2.7")
    service = await micro.add_service(client, name="bills", version="1.0.0")

    async def handle(request: Any) -> None:
        await request.respond(b"answer")

    await service.add_endpoint(name="pay", handler=handle)
    got = await client.request("pay", b"question")
    await client.request("$SRV.PING.bills", b"")
    asked, served = await answered_spans(telemetry, client)
    await service.stop()

    assert got.data == b"answer"
    assert kinds(telemetry) == ["CLIENT", "SERVER"]
    assert served.parent.span_id == asked.context.span_id
    assert telemetry.count(names.HOP_DURATION, side="client", server="tested") == 1


# -- what is no message of the application's -------------------------------------------------------


async def test_jetstreams_own_requests_are_no_hops(
    telemetry: Telemetry, client: Any, server: Nats
) -> None:
    """Streams, consumers, acknowledgements, keys and values: none of it is a message."""
    context = client.jetstream()
    await context.add_stream(name="quiet", subjects=["quiet"])
    keys = await context.create_key_value(bucket="keys")
    await keys.put("key.1", b"value")
    assert (await keys.get("key.1")).value == b"value"
    with server.connected() as other:
        other.publish("quiet", b"value", as_headers(SAMPLED))
        other.settle()
    subscription = await context.pull_subscribe("quiet", "workers")
    [message] = await subscription.fetch()
    await message.in_progress()
    await message.ack()
    await subscription.unsubscribe()

    assert kinds(telemetry) == ["CONSUMER"]


async def test_who_subscribes_to_a_stream_s_subject_is_not_asked(
    telemetry: Telemetry, client: Any
) -> None:
    """A publisher waits for the stream's answer, not for a subscriber's: that one consumes."""
    await client.jetstream().add_stream(name="both", subjects=["both"])
    subscription = await client.subscribe("both")
    await client.jetstream().publish("both", b"value")
    await subscription.next_msg(20)
    await subscription.unsubscribe()

    assert kinds(telemetry) == ["CONSUMER", "PRODUCER"]


# -- names --------------------------------------------------------------------------------------


async def test_a_wildcard_stands_for_what_matches_it(telemetry: Telemetry, client: Any) -> None:
    """Labels have what was subscribed to, the span has the subject too."""
    subscription = await client.subscribe("orders.*.paid", "billing")
    await client.publish("orders.seventeen.paid", b"value")
    await subscription.next_msg(20)
    await subscription.unsubscribe()

    attributes = telemetry.span(kind=CONSUMER).attributes or {}
    assert attributes[names.MESSAGING_DESTINATION] == "orders.seventeen.paid"
    assert attributes[names.MESSAGING_TEMPLATE] == "orders.*.paid"
    for metric in (names.HOP_DURATION, names.QUEUE_DURATION, names.MESSAGING_PROCESS_DURATION):
        side = {"side": "consumer"} if metric == names.HOP_DURATION else {}
        (point,) = telemetry.points(metric, **side)
        assert "orders.*.paid" in str(point.labels)
        assert "seventeen" not in str(point.labels)


async def test_ids_are_left_out_of_a_subject(telemetry: Telemetry, client: Any) -> None:
    """A thousand orders are one destination for who sends."""
    for number in range(3):
        await client.publish(f"orders.{number}.paid", b"value")

    assert telemetry.count(names.HOP_DURATION, operation="send orders.*.paid") == 3


async def test_a_stream_s_consumer_is_named_by_the_application(
    telemetry: Telemetry, client: Any
) -> None:
    """A durable's name is the group; a name that the library makes up is none."""
    context = client.jetstream()
    await context.add_stream(name="groups", subjects=["groups.>"])
    await context.publish("groups.a", b"value")
    nameless = signature(context.pull_subscribe).parameters["durable"].default is None  # since 2.6
    for durable in ("workers", None) if nameless else ("workers",):
        subscription = await context.pull_subscribe("groups.>", durable)
        await subscription.fetch()
        await subscription.unsubscribe()

    groups = [dict(point.labels)["group"] for point in telemetry.points(names.QUEUE_DURATION)]
    assert sorted(groups) == (["", "workers"] if nameless else ["workers"])
