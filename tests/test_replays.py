"""`replay()`: events that happened once are handled again, and nothing of it is recorded."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pybreaker
import pytest
import requests
import tenacity
from opentelemetry import context, trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from tests.contract.harness.aiokafka import AiokafkaIterated, AiokafkaProducer
from tests.webhooks.subscriber import Subscriber, subscriber

LIBRARIES = ["aiokafka", "pybreaker", "requests", "tenacity"]
EVENT = otel_kit.incoming("store", "events", carrier={**SAMPLED, "baggage": "saga.id=o-1"})


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What the application's own tracers make is recorded too, as `instrument()` sees to it."""
    with (
        capture("orders", integrations=LIBRARIES) as telemetry,
        patch.multiple(trace, _TRACER_PROVIDER=telemetry.tracer_provider),
    ):
        yield telemetry


@pytest.fixture
def peer() -> Iterator[Subscriber]:
    with subscriber() as found:
        yield found


def nothing(telemetry: Telemetry) -> bool:
    """Whether neither a span, an event, nor a measurement of a hop or a message was made."""
    messages = (names.QUEUE_DURATION, names.PROPAGATION_MESSAGES, names.DEAD_LETTERS)
    sagas = (names.SAGA_STARTED, names.SAGA_FINISHED, names.DUPLICATES)
    counted = (names.HOP_DURATION, names.RETRY_ATTEMPTS, names.BREAKER_REJECTED, *messages, *sagas)
    return telemetry.spans == telemetry.logs == [] and not any(map(telemetry.points, counted))


def test_an_event_that_is_replayed_is_no_hop(telemetry: Telemetry) -> None:
    """The handler runs, in no trace; after the block the same event is a hop."""
    handled = []
    with otel_kit.replay(), otel_kit.process(EVENT) as hop:
        handled.append(trace.get_current_span().get_span_context().trace_id)
        assert hop.span is None
    assert nothing(telemetry)
    with otel_kit.process(EVENT):
        handled.append(trace.get_current_span().get_span_context().trace_id)

    assert handled == [0, TRACE_ID]
    assert len(telemetry.spans) == 1


def _saga() -> None:
    with otel_kit.saga("o-1", "order") as saga:
        with otel_kit.step("pay") as span:
            span.set_attribute("amount", 7)
            assert otel_kit.current_saga() == saga
        with otel_kit.compensate("pay"):
            pass
        saga.finish("compensated")


def _failing_step() -> None:
    with pytest.raises(KeyError), otel_kit.step("pay"):
        raise KeyError


def _retried() -> None:
    @tenacity.retry(stop=tenacity.stop_after_attempt(2), reraise=True)
    def charge() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        charge()


def _outbox() -> None:
    assert otel_kit.outbox.stamp("created") == "{}"
    with otel_kit.outbox.relay(SAMPLED, "created"):
        pass


def _refused() -> None:
    breaker = pybreaker.CircuitBreaker(fail_max=1, name="bank")
    breaker.open()
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(_outbox)


def _dead_letter() -> None:
    with otel_kit.process(EVENT):
        assert otel_kit.dead_letter(EVENT, TimeoutError()) == [
            (name, value.encode()) for name, value in (EVENT.carrier or {}).items()
        ]


def _duplicate() -> None:
    otel_kit.duplicate(EVENT)


def _verbs() -> None:
    sent: dict[str, str] = {}
    message = otel_kit.outgoing("kafka", "commands", carrier=sent)
    request = otel_kit.http_request("GET", carrier=sent, scheme="http", host="bank")
    with otel_kit.send(message), otel_kit.call(request), otel_kit.serve(request):
        pass
    with otel_kit.process([EVENT, EVENT]):
        pass
    assert sent == {}


@pytest.mark.parametrize(
    "happens",
    [_saga, _failing_step, _retried, _outbox, _refused, _dead_letter, _duplicate, _verbs],
)
def test_nothing_that_happens_within_is_recorded(
    happens: Callable[[], None], telemetry: Telemetry
) -> None:
    """Neither by the application nor by an integration; outside, all of it is."""
    with otel_kit.replay():
        happens()
    assert nothing(telemetry)

    with suppress(AssertionError):  # what they assert is of a replay
        happens()
    assert not nothing(telemetry)


def test_what_is_around_a_replay_is_not_marked(telemetry: Telemetry) -> None:
    """A hop in which a state is built up has nothing to do with the sagas replayed in it."""
    with otel_kit.process(otel_kit.incoming("kafka", "commands", carrier={})):
        with otel_kit.replay():
            _saga()
            _duplicate()
            _dead_letter()
        assert trace.get_current_span().is_recording()
    [span] = telemetry.spans

    assert not {key for key in span.attributes or {} if key.startswith(("saga.", "otel_kit.d"))}
    assert span.events == ()


def test_a_call_goes_out_untouched(telemetry: Telemetry, peer: Subscriber) -> None:
    """Without a span and without context, also of the trace and the saga around the replay."""
    with otel_kit.saga("o-1"), otel_kit.process(EVENT):
        with otel_kit.replay():
            assert requests.post(peer.url, timeout=10).status_code == 204
        requests.post(peer.url, timeout=10)
    within, after = (asked.headers.keys() for asked in peer.asked)

    assert not {"traceparent", "tracestate", "baggage"} & within
    assert {"traceparent", "tracestate", "baggage"} <= after
    assert telemetry.count(names.HOP_DURATION, side="client") == 1


def test_opentelemetrys_own_instrumentations_heed_it(peer: Subscriber) -> None:
    """They make no span of a call that goes out within."""
    with capture("orders", integrations=["requests"], prefer="contrib") as telemetry:
        assert RequestsInstrumentor().is_instrumented_by_opentelemetry
        with otel_kit.replay():
            requests.post(peer.url, timeout=10)
        assert nothing(telemetry)
        requests.post(peer.url, timeout=10)

    assert len(telemetry.spans) == 1


async def test_a_loop_within_hands_out_no_hops(telemetry: Telemetry) -> None:
    """A topic is read again from its beginning, and goes on where it was left, as hops."""
    async with AiokafkaIterated() as harness:
        for _ in range(4):
            await harness.deliver(SAMPLED)
        with otel_kit.replay():
            for _ in range(2):
                with otel_kit.process(await harness.next()):
                    pass
        assert nothing(telemetry)
        with otel_kit.process(await harness.next()):
            pass
        await harness.next()
        await harness.close()

    assert telemetry.count(names.HOP_DURATION, side="consumer") == 2


async def test_a_producer_sends_no_headers(telemetry: Telemetry) -> None:
    """A message that a replayed handler sends all the same is the application's own."""
    async with AiokafkaProducer() as harness:
        with otel_kit.replay():
            await harness.send()
        assert nothing(telemetry)
        assert await harness.received() == [[]]


def test_replays_are_nested(telemetry: Telemetry) -> None:
    """The end of the inner one is not the end of the outer."""
    before = context.get_current()
    with otel_kit.replay():
        with otel_kit.replay():
            pass
        with otel_kit.process(EVENT):
            pass

    assert nothing(telemetry)
    assert context.get_current() == before


def test_an_error_ends_it(telemetry: Telemetry) -> None:
    """The application sees it, and what it does then is recorded."""
    with pytest.raises(KeyError), otel_kit.replay():
        raise KeyError
    with otel_kit.process(EVENT):
        pass

    assert len(telemetry.spans) == 1


async def test_each_task_has_its_own(telemetry: Telemetry) -> None:
    """A replay in one of them does not hide what others do meanwhile."""
    replaying, live = asyncio.Event(), asyncio.Event()

    async def replays() -> None:
        with otel_kit.replay():
            replaying.set()
            await live.wait()
            with otel_kit.process(EVENT):
                await asyncio.to_thread(_verbs)

    async def lives() -> None:
        await replaying.wait()
        with otel_kit.process(EVENT):
            live.set()

    await asyncio.gather(replays(), lives())

    assert len(telemetry.spans) == 1


async def test_a_generator_may_replay(telemetry: Telemetry) -> None:
    """It may be driven by several tasks, and dropped in the middle: it raises nothing."""

    async def events() -> AsyncIterator[int]:
        with otel_kit.replay():
            yield 1
            yield 2

    found = events()
    assert await asyncio.create_task(anext(found)) == 1
    assert await asyncio.create_task(anext(found)) == 2
    await found.aclose()
    with otel_kit.process(EVENT):
        pass

    assert len(telemetry.spans) == 1


def test_state_is_built_up_from_a_store(telemetry: Telemetry) -> None:
    """The handlers that once changed a balance change it again, from a real database."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, amount INTEGER)")
    balance = {"live": 0, "replayed": 0}

    def handle(account: str, amount: int) -> None:
        with otel_kit.process(EVENT), otel_kit.step("book"):
            balance[account] += amount

    for amount in (5, -2, 4):
        database.execute("INSERT INTO events (amount) VALUES (?)", (amount,))
        handle("live", amount)
    recorded = len(telemetry.spans)
    with otel_kit.replay():
        for (amount,) in database.execute("SELECT amount FROM events ORDER BY id"):
            handle("replayed", amount)
    database.close()

    assert balance == {"live": 7, "replayed": 7}
    assert len(telemetry.spans) == recorded == 6


def test_without_telemetry_it_is_nothing() -> None:
    """An application that is not instrumented replays as ever."""
    handled: list[Any] = []
    with otel_kit.replay(), otel_kit.process(EVENT), otel_kit.step("pay"):
        handled.append(1)

    assert handled == [1]
