"""What hands out messages in any shape, against a library of awkward shapes."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit.hops import Hop, incoming
from otel_kit.integrations._shape import Integration
from otel_kit.testing import Telemetry, capture
from tests.integrations import library
from tests.integrations.library import Client

LIBRARY = library.__name__


@pytest.fixture
def integration() -> Integration:
    return Integration("library", supports="library>=1")


@contextmanager
def installed(integration: Integration) -> Iterator[Telemetry]:
    """The integration at work."""
    with capture("tested", integrations=["httpx"]) as telemetry:
        uninstall = integration.install()
        try:
            yield telemetry
        finally:
            uninstall()


def message_hop(*_: Any) -> Hop:
    """Each message is another delivery."""
    return incoming("test", "orders", carrier={}, delivery=Handles())


def span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


def ids(telemetry: Telemetry) -> list[int]:
    return [span.context.span_id for span in telemetry.matching(kind=SpanKind.CONSUMER)]


# -- iterators and lists ------------------------------------------------------------------------


def test_a_generator_hands_out_its_messages(integration: Integration) -> None:
    """The body of a loop over what a function returns is the handler, message by message."""
    integration.processes_iterated(f"{LIBRARY}:Client.messages")(message_hop)
    with installed(integration) as telemetry:
        before = context.get_current()
        seen = [(number, span_id()) for number in Client().messages()]

        assert context.get_current() is before
    assert seen == list(zip((1, 2), ids(telemetry), strict=True))


async def test_an_asynchronous_generator_hands_out_its_messages(integration: Integration) -> None:
    """So it is with `async for`."""
    integration.processes_iterated(f"{LIBRARY}:Client.messages_later")(message_hop)
    with installed(integration) as telemetry:
        seen = [(number, span_id()) async for number in Client().messages_later()]
        await asyncio.sleep(0)

    assert seen == list(zip((1, 2), ids(telemetry), strict=True))


def test_a_closed_generator_ends_the_hop(integration: Integration) -> None:
    """Whoever stops in the midst and closes the generator has handled the message."""
    integration.processes_iterated(f"{LIBRARY}:Client.messages")(message_hop)
    with installed(integration) as telemetry:
        generator: Any = Client().messages()
        next(generator)
        generator.close()

        assert len(ids(telemetry)) == 1
        assert span_id() == 0
        with pytest.raises(StopIteration):
            next(generator)


def test_a_closed_consumer_ends_the_hops_of_its_generators(integration: Integration) -> None:
    """Whoever stops in the midst and closes the consumer has handled the message: only its own."""
    closed = (f"{LIBRARY}:Client.anything",)
    integration.processes_iterated(f"{LIBRARY}:Client.messages", closed=closed)(message_hop)
    with installed(integration) as telemetry:
        one, other = Client(), Client()
        generators = [one.messages(), other.messages()]
        next(generators[0])
        other.anything()
        assert ids(telemetry) == []
        one.anything()

        assert len(ids(telemetry)) == 1
        assert span_id() == 0
        assert next(generators[0]) == 2


def returned(integration: Integration) -> Any:
    return integration.handed(Client().fetch(), integration, message_hop)


def test_a_list_is_handled_by_iterating_over_it(integration: Integration) -> None:
    """The body of a loop over a list of messages is the handler, once."""
    with installed(integration) as telemetry:
        messages = returned(integration)
        seen = [(number, span_id()) for number in messages]

        assert [(number, span_id()) for number in messages] == [(1, 0), (2, 0)]
    assert seen == list(zip((1, 2), ids(telemetry), strict=True))


def test_a_list_of_messages_is_a_list(integration: Integration) -> None:
    """Whatever else is done with it than iterating makes no hop."""
    with installed(integration) as telemetry:
        messages = returned(integration)

        assert isinstance(messages, list)
        assert messages == [1, 2]
        assert (messages[0], len(messages), messages[1:]) == (1, 2, [2])
        assert messages.copy() == [1, 2]
        assert type(messages.__reduce__()[0]()) is list
    assert telemetry.spans == []


# -- handlers -----------------------------------------------------------------------------------


def subscribed(integration: Integration, handler: Callable[..., Any]) -> Callable[..., Any]:
    """What the library calls in the place of the application's handler."""
    return Client().subscribe("orders", handler)


@pytest.fixture
def callbacks(integration: Integration) -> Iterator[Telemetry]:
    integration.processes_callback(f"{LIBRARY}:Client.subscribe", parameter="handler")(message_hop)
    with installed(integration) as telemetry:
        yield telemetry


async def handle_later(message: object) -> int:
    await asyncio.sleep(0)
    return span_id()


class Handles:
    async def __call__(self, message: object) -> int:
        return await handle_later(message)


def test_a_handler_runs_within_its_messages_hop(
    integration: Integration, callbacks: Telemetry
) -> None:
    """Its result is the library's, and afterwards the context is what it was."""
    before = context.get_current()
    inside = subscribed(integration, lambda message: span_id())("message")

    assert [inside] == ids(callbacks)
    assert context.get_current() is before


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(handle_later, id="function"),
        pytest.param(functools.partial(handle_later), id="partial"),
        pytest.param(lambda message: handle_later(message), id="lambda"),
        pytest.param(Handles(), id="object"),
        pytest.param(Handles().__call__, id="method"),
    ],
)
async def test_a_handler_that_is_awaited_runs_within_its_messages_hop(
    integration: Integration, callbacks: Telemetry, handler: Callable[..., Any]
) -> None:
    """Whatever it is that the library is to await."""
    before = context.get_current()
    inside = await subscribed(integration, handler)("message")
    await asyncio.sleep(0)

    assert [inside] == ids(callbacks)
    assert context.get_current() is before


def test_a_handler_stays_what_it_was(integration: Integration, callbacks: Telemetry) -> None:
    """Libraries look at a handler before they call it."""
    handler = subscribed(integration, handle_later)

    assert inspect.iscoroutinefunction(handler)
    assert handler.__name__ == "handle_later"
    assert inspect.signature(handler) == inspect.signature(handle_later)
    assert handler == handle_later


def test_a_handlers_error_is_its_hops(integration: Integration, callbacks: Telemetry) -> None:
    """The very same exception reaches the library."""
    error = ValueError("on purpose")

    def fails(message: object) -> None:
        raise error

    with pytest.raises(ValueError, match="on purpose") as raised:
        subscribed(integration, fails)("message")

    assert raised.value is error
    assert callbacks.span(kind=SpanKind.CONSUMER).status.status_code is StatusCode.ERROR


async def test_the_error_of_a_handler_that_is_awaited_is_its_hops(
    integration: Integration, callbacks: Telemetry
) -> None:
    """So it is with what a coroutine raises."""

    async def fails(message: object) -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await subscribed(integration, fails)("message")

    assert callbacks.span(kind=SpanKind.CONSUMER).status.status_code is StatusCode.ERROR


async def test_a_cancelled_handler_is_cancelled(
    integration: Integration, callbacks: Telemetry
) -> None:
    """Cancellation is no error of the span, and reaches the library."""

    async def waits(message: object) -> None:
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    task = asyncio.ensure_future(subscribed(integration, waits)("message"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    span = callbacks.span(kind=SpanKind.CONSUMER)
    assert span.status.status_code is StatusCode.UNSET
    assert (span.attributes or {})["otel_kit.error_class"] == "cancelled"


def test_a_handler_within_a_handler_ends_only_itself(
    integration: Integration, callbacks: Telemetry
) -> None:
    """A handler that lets its connection work gets the next message in its midst."""
    inner = subscribed(integration, lambda message: span_id())

    def outer(message: object) -> tuple[int, int, int]:
        return span_id(), inner("inner"), span_id()

    first, second, again = subscribed(integration, outer)("outer")

    assert first == again != second
    assert ids(callbacks) == [second, first]


def test_a_handler_registered_again_makes_one_hop(
    integration: Integration, callbacks: Telemetry
) -> None:
    """A library that connects anew registers what it was given."""
    once = subscribed(integration, lambda message: span_id())
    twice = subscribed(integration, once)

    assert [twice("message")] == ids(callbacks)


def test_a_handler_of_the_librarys_own_is_left_alone(integration: Integration) -> None:
    """It only fills a buffer, say."""
    integration.processes_callback(
        f"{LIBRARY}:Client.subscribe", parameter="handler", ours=lambda handler: handler is print
    )(message_hop)
    with installed(integration):
        assert Client().subscribe("orders", print) is print


async def test_fifty_handlers_at_once_do_not_mix(
    integration: Integration, callbacks: Telemetry
) -> None:
    """Each runs within its own hop."""
    handler = subscribed(integration, handle_later)
    inside = await asyncio.gather(*(handler(number) for number in range(50)))
    await asyncio.sleep(0)

    assert len(set(inside)) == 50
    assert set(inside) == set(ids(callbacks))


async def test_a_task_that_a_handler_starts_goes_on_with_the_hop(integration: Integration) -> None:
    """`process(message)` in a task that the handler created is the handler."""

    class Message:
        pass

    async def handle(message: Message) -> None:
        with otel_kit.process(message):
            handled.append(span_id())

    async def starts(message: Message) -> None:
        tasks.append(asyncio.create_task(handle(message)))

    def described(message: Message) -> Hop:
        return incoming("test", "orders", carrier={}, delivery=message)

    handled: list[int] = []
    tasks: list[asyncio.Task[None]] = []
    integration.describes(Message)(described)
    integration.processes_callback(f"{LIBRARY}:Client.subscribe", parameter="handler")(
        lambda consumer, message: described(message)
    )
    with installed(integration) as telemetry:
        await subscribed(integration, starts)(Message())
        await tasks[0]
        await asyncio.sleep(0)

    assert handled == ids(telemetry)
    assert len(telemetry.spans) == 1


def test_after_the_end_a_registered_handler_is_called_without_a_hop(
    integration: Integration,
) -> None:
    """Uninstalling cannot take a handler back from the library."""
    integration.processes_callback(f"{LIBRARY}:Client.subscribe", parameter="handler")(message_hop)
    with installed(integration) as telemetry:
        handler = subscribed(integration, lambda message: span_id())

    assert handler("message") == 0
    assert telemetry.spans == []
