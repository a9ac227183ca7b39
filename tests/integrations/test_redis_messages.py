"""redis-py's channels and lists: hops only where the user says so, and exactly what was sent."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis.asyncio
from opentelemetry import trace
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit import names
from otel_kit.hops import outgoing, send
from otel_kit.testing import Telemetry, capture
from tests.gauges.waiting import until
from tests.integrations.redis_clients import client, entries, key
from tests.servers.redis import Redis as Server

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
SENT = b"a message"


@pytest.fixture
def plain() -> Iterator[Telemetry]:
    """redis-py instrumented, and no message in an envelope."""
    with capture("tested", integrations=["redis"]) as found:
        yield found


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """redis-py instrumented; all channels and the lists of orders use envelopes."""
    enveloped = ["redis-pubsub", "redis-list:orders-*"]
    with capture("tested", integrations=["redis"], envelopes=enveloped) as found:
        yield found


def current_span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


def one_trace(telemetry: Telemetry) -> None:
    """One send, and one message that was handled below it."""
    sent, handled = telemetry.span(kind=PRODUCER), telemetry.span(kind=CONSUMER)
    assert handled.parent is not None
    assert handled.parent.span_id == sent.context.span_id


def next_message(pubsub: Any) -> Any:
    """The next one that is no answer to a subscription, which no channel can delay for long."""
    for _ in range(100):
        message = pubsub.get_message(timeout=1)
        if message is not None and message["type"] in ("message", "pmessage"):
            return message
    raise AssertionError("nothing came")


def subscribed(*channels: str, **handlers: Any) -> Any:
    pubsub = client().pubsub()
    pubsub.subscribe(*channels, **handlers)
    for _ in (*channels, *handlers):
        assert pubsub.get_message(timeout=10)["type"] == "subscribe"
    return pubsub


def test_without_the_setting_messages_are_none_of_ours(plain: Telemetry) -> None:
    """Publishing, pushing and popping make no hops, and put nothing into the messages."""
    name = key()
    with client() as user, subscribed(name) as pubsub:
        user.publish(name, SENT)
        assert next_message(pubsub)["data"] == SENT
        user.lpush(name, SENT)
        assert user.lrange(name, 0, -1) == [SENT]
        assert user.brpop(name) == (name.encode(), SENT)

    assert plain.spans == []


@pytest.mark.parametrize("payload", [SENT, "text", 7, 1.5, b"", b"otelkit/1\n\nno envelope"])
def test_a_published_message_arrives_as_it_was(telemetry: Telemetry, payload: Any) -> None:
    """Whatever is published is read, and handled in the trace of who published it."""
    name = key()
    with subscribed(name) as pubsub:
        assert client().publish(name, payload) == 1
        message = next_message(pubsub)
        inside = current_span_id()

    expected = payload if isinstance(payload, bytes) else str(payload).encode()
    assert message == {
        "type": "message",
        "pattern": None,
        "channel": name.encode(),
        "data": expected,
    }
    assert inside == telemetry.span(kind=CONSUMER).context.span_id
    one_trace(telemetry)


def test_listening_hands_out_one_by_one(telemetry: Telemetry) -> None:
    """The body of a loop over `listen()` is the handler of each message."""
    name, inside = key(), []
    with subscribed(name) as pubsub:
        client().publish(name, 1)
        client().publish(name, 2)
        for message in pubsub.listen():
            inside.append(current_span_id())
            if message["data"] == b"2":
                break

    assert inside == [span.context.span_id for span in telemetry.matching(kind=CONSUMER)]


def test_a_handler_runs_inside(telemetry: Telemetry) -> None:
    """A handler that was subscribed is called with the message as it was, within its hop."""
    name = key()
    seen: list[tuple[bytes, int]] = []
    handler = {name: lambda message: seen.append((message["data"], current_span_id()))}
    with subscribed(**handler) as pubsub:
        client().publish(name, SENT)
        pubsub.get_message(timeout=10)

    assert seen == [(SENT, telemetry.span(kind=CONSUMER).context.span_id)]
    one_trace(telemetry)


def test_a_handler_that_fails_is_an_error(telemetry: Telemetry) -> None:
    """What it raises is the application's, and the message's error."""
    name = key()

    def handler(message: Any) -> None:
        raise TimeoutError("the database")

    with subscribed(**{name: handler}) as pubsub:
        client().publish(name, SENT)
        with pytest.raises(TimeoutError):
            pubsub.get_message(timeout=10)

    assert telemetry.count(names.HOP_DURATION, side="consumer", error_class="timeout") == 1


def test_a_pattern_is_the_destination(telemetry: Telemetry) -> None:
    """Channels that a pattern matches may be many; their messages count for the pattern."""
    name = key()
    with client().pubsub() as pubsub:
        pubsub.psubscribe(f"{name}.*")
        assert pubsub.get_message(timeout=10)["type"] == "psubscribe"
        client().publish(f"{name}.17", SENT)
        next_message(pubsub)

    assert telemetry.span(kind=CONSUMER).name == f"process {name}.*"


async def test_channels_of_asyncio(telemetry: Telemetry) -> None:
    """`get_message` hands out the message, an awaited handler runs inside its hop."""
    name, other = key(), key()
    seen: list[int] = []

    async def handler(message: Any) -> None:
        seen.append(current_span_id())

    user = redis.asyncio.Redis(port=Server.shared().port)
    async with user.pubsub() as pubsub:
        await pubsub.subscribe(name, **{other: handler})
        for _ in range(2):
            await pubsub.get_message(timeout=10)
        await user.publish(name, SENT)
        message = await pubsub.get_message(timeout=10)
        seen.append(current_span_id())
        await user.publish(other, SENT)
        await pubsub.get_message(timeout=10)
    await user.aclose()

    assert message["data"] == SENT
    handled = telemetry.matching(kind=CONSUMER)
    assert sorted(seen) == sorted(span.context.span_id for span in handled)
    assert len(handled) == 2


def test_a_message_may_be_handled_elsewhere(telemetry: Telemetry) -> None:
    """`process(message)` takes over the hop of what `get_message` handed out."""
    name = key()
    with subscribed(name) as pubsub:
        client().publish(name, SENT)
        with otel_kit.process(next_message(pubsub)):
            inside = current_span_id()

    assert inside == telemetry.span(kind=CONSUMER).context.span_id


# -- lists ----------------------------------------------------------------------------------------

Take = Callable[[Any, str], Any]
POPS: dict[str, Take] = {
    "lpop": lambda user, name: user.lpop(name),
    "rpop": lambda user, name: user.rpop(name),
    "several": lambda user, name: next(iter(user.rpop(name, 2))),
    "blpop": lambda user, name: user.blpop([name, "other"])[1],
    "brpop": lambda user, name: user.brpop(name, timeout=1)[1],
    "lmpop": lambda user, name: next(iter(user.lmpop(2, "other", name, direction="LEFT")[1])),
    "blmpop": lambda user, name: next(iter(user.blmpop(1, 1, name, direction="LEFT")[1])),
    "rpoplpush": lambda user, name: user.rpoplpush(name, f"{name}-doing"),
    "brpoplpush": lambda user, name: user.brpoplpush(name, f"{name}-doing", timeout=1),
    "lmove": lambda user, name: user.lmove(name, f"{name}-doing"),
    "blmove": lambda user, name: user.blmove(name, f"{name}-doing", 1),
}


@pytest.mark.parametrize("take", POPS.values(), ids=POPS)
@pytest.mark.parametrize("options", [{}, {"decode_responses": True}], ids=["bytes", "text"])
def test_a_value_is_taken_as_it_was_pushed(
    telemetry: Telemetry, take: Take, options: dict[str, Any]
) -> None:
    """By whichever command: the value is what was pushed, and its trace goes on."""
    name = key()
    with client(**options) as user:
        assert user.lpush(name, SENT) == 1
        taken = take(user, name)

    assert taken == (SENT.decode() if options else SENT)
    one_trace(telemetry)


def test_nothing_to_pop_is_no_hop(telemetry: Telemetry) -> None:
    """An empty list hands out nothing."""
    name = key()
    with client() as user:
        assert user.lpop(name) is None
        assert user.brpop(name, timeout=0.02) is None

    assert telemetry.spans == []


def test_a_value_that_was_moved_can_be_removed(telemetry: Telemetry) -> None:
    """`LREM` finds it by what the application knows of it: the reliable queue works."""
    name = key()
    with client() as user:
        user.lpush(name, SENT)
        taken = user.lmove(name, f"{name}-doing")
        assert user.lrem(f"{name}-doing", 1, taken) == 1
        assert user.llen(f"{name}-doing") == 0


def test_code_until_the_next_pop_is_the_handler(telemetry: Telemetry) -> None:
    """Each value is handled in its own span, which the next pop ends."""
    name, inside = key(), []
    with client() as user:
        user.lpush(name, 1, 2)
        while user.rpop(name) is not None:
            inside.append(current_span_id())

    assert inside == [span.context.span_id for span in telemetry.matching(kind=CONSUMER)]


def test_pushes_and_pops_of_a_pipeline(telemetry: Telemetry) -> None:
    """They are replied to as they were sent, when it is executed."""
    name = key()
    with client().pipeline() as pipeline:
        pipeline.rpush(name, "a", "b").lpop(name).rpop(name)
        assert pipeline.execute() == [2, b"a", b"b"]


def test_below_another_librarys_send_there_is_no_second(telemetry: Telemetry) -> None:
    """A queue that a library keeps in a list has that library's hop, and its messages untouched."""
    name = key()
    with client() as user:
        with send(outgoing("celery", "celery", carrier={})):
            user.lpush(name, SENT)
        assert user.lrange(name, 0, -1) == [SENT]

    assert telemetry.span().name == "send celery"


# -- gauges ---------------------------------------------------------------------------------------


def gauges(telemetry: Telemetry, name: str) -> list[float | None]:
    """Depth, lag and the age of the oldest."""
    found = []
    for metric in (names.QUEUE_DEPTH, names.QUEUE_LAG, names.QUEUE_LAG_TIME):
        points = telemetry.points(metric, transport="redis", destination=name, group="")
        found.append(points[0].sum if points else None)
    return found


def test_depth_and_lag_of_a_stream() -> None:
    """What its group has not read; what it has not acknowledged; how old the oldest of it is."""
    with capture(integrations=["redis"], metric_interval=50.0) as telemetry, client() as user:
        stream = key()
        user.xgroup_create(stream, "g", "0", mkstream=True)
        user.execute_command("XADD", stream, "1700000000000-0", "total", 1)
        user.xadd(stream, {"total": 2})
        user.xadd(stream, {"total": 3})
        (entry,) = entries(user.xreadgroup("g", "c", {stream: ">"}, count=1))

        until(lambda: gauges(telemetry, stream)[:2] == [2, 3])
        assert (gauges(telemetry, stream)[2] or 0) > 1e7
        user.xack(stream, "g", entry[0])
        until(lambda: gauges(telemetry, stream)[:2] == [2, 2])
        assert 0 <= (gauges(telemetry, stream)[2] or 0) < 60
        user.xack(stream, "g", *(e[0] for e in entries(user.xreadgroup("g", "c", {stream: ">"}))))
        until(lambda: gauges(telemetry, stream) == [0, 0, 0])


async def test_depth_of_a_list_that_asyncio_pops() -> None:
    """What waits in a list of messages, while a client of asyncio is blocked."""
    enveloped = ["redis-list:orders-*"]
    name = key()
    with capture(integrations=["redis"], metric_interval=50.0, envelopes=enveloped) as telemetry:
        user = redis.asyncio.Redis(port=Server.shared().port)
        client().lpush(name, 1, 2, 3)
        await user.brpop(name)
        until(lambda: gauges(telemetry, name) == [2, None, None])
        await user.aclose()
        until(lambda: gauges(telemetry, name) == [None, None, None])


def test_a_server_that_is_gone_costs_the_gauges_only(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and the client goes on by itself when the server is back."""

    def said() -> list[logging.LogRecord]:
        return [each for each in caplog.records if "Redis' queues" in each.getMessage()]

    server = Server()
    server.start()
    with capture(integrations=["redis"], metric_interval=50.0) as telemetry:
        user: Any = redis.Redis(port=server.port)
        stream = key()
        user.xgroup_create(stream, "g", "0", mkstream=True)
        user.xadd(stream, {"total": 1})
        user.xreadgroup("g", "c", {stream: ">"})
        until(lambda: gauges(telemetry, stream)[:2] == [0, 1])
        server.kill()
        until(lambda: gauges(telemetry, stream) == [None, None, None] and bool(said()))
        server.start()
        until(lambda: gauges(telemetry, stream)[:2] == [0, 1])
        user.close()
    server.close()

    assert len(said()) == 1
