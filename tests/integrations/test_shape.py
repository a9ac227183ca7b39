"""The one shape of an integration, against a library of awkward shapes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import wrapt
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode

from otel_kit.hops import ActiveHop, Hop, incoming
from otel_kit.integrations._shape import Call, Integration
from otel_kit.testing import Telemetry, capture
from tests.integrations import library
from tests.integrations.library import Client, Reply

LIBRARY = library.__name__


@pytest.fixture
def integration() -> Integration:
    return Integration("library", supports="library>=1")


@contextmanager
def installed(integration: Integration, *, strict: bool = True) -> Iterator[Telemetry]:
    """The integration at work."""
    with capture("tested", integrations=["httpx"], strict=strict) as telemetry:
        uninstall = integration.install()
        try:
            yield telemetry
        finally:
            uninstall()


def hop(call: Call) -> Hop:
    return Hop(system="test", operation=f"send {call['topic']}")


def test_an_inherited_function_is_patched_where_it_is_named(integration: Integration) -> None:
    """The base class stays as it is, and after uninstalling nothing is left on the subclass."""
    integration.sends(f"{LIBRARY}:Client.send")(hop)
    with installed(integration) as telemetry:
        Client().send("orders")
        library.Base().send("orders")

        assert len(telemetry.spans) == 1
    assert "send" not in vars(Client)


def test_a_callback_that_cannot_be_registered_ends_the_hop(integration: Integration) -> None:
    """If nobody will tell when a result is done, the hop ends with the call, and is not lost."""

    def ends(active: ActiveHop, result: Reply) -> None:
        raise AttributeError("no such callback")

    integration.sends(f"{LIBRARY}:Client.send", ends=ends)(hop)
    with installed(integration, strict=False) as telemetry:
        reply = Client().send("orders")

    assert isinstance(reply, Reply)
    assert len(telemetry.spans) == 1


def test_a_deferred_hop_ends_by_its_callback(integration: Integration) -> None:
    """The function's return does not end it."""

    def ends(active: ActiveHop, result: Reply) -> None:
        result.callbacks.append(active.end)

    integration.sends(f"{LIBRARY}:Client.send", ends=ends)(hop)
    with installed(integration) as telemetry:
        reply = Client().send("orders")
        early = len(telemetry.spans)
        reply.callbacks[0]()

    assert (early, len(telemetry.spans)) == (0, 1)


@pytest.mark.parametrize("name", ["ask", "ask_decorated"])
async def test_what_is_awaited_lasts_until_it_is_done(integration: Integration, name: str) -> None:
    """A coroutine function is one hop, also behind a decorator that hides what it is."""
    integration.calls(f"{LIBRARY}:Client.{name}")(hop)
    with installed(integration) as telemetry:
        awaitable = getattr(Client(), name)("orders")
        early = len(telemetry.spans)
        assert await awaitable == "orders"

    assert (early, len(telemetry.spans)) == (0, 1)
    assert not trace.get_current_span().get_span_context().is_valid


async def test_an_error_of_what_is_awaited_is_the_hops(integration: Integration) -> None:
    """The exception of a coroutine behind a decorator arrives, and ends the hop."""
    integration.calls(f"{LIBRARY}:Client.ask_decorated")(hop)
    with installed(integration) as telemetry:
        with pytest.raises(TimeoutError, match="on purpose"):
            await Client().ask_decorated("bad")

        assert telemetry.span().status.status_code is StatusCode.ERROR


async def test_a_message_behind_a_decorator_is_handed_out(integration: Integration) -> None:
    """What is described is the message, not the coroutine that will bring it."""
    handed: list[Any] = []

    @integration.processes_each(f"{LIBRARY}:Client.receive")
    def describe(message: int, consumer: Client) -> Hop:
        handed.append(message)
        return incoming("test", "orders", carrier={})

    with installed(integration):
        assert await Client().receive() == 7

    assert handed == [7]


def test_the_end_of_an_iterator_is_the_end(integration: Integration) -> None:
    """StopIteration passes, with its value, and the last message's hop has ended."""

    @integration.processes_each(f"{LIBRARY}:Client.__next__")
    def describe(message: int, consumer: Client) -> Hop:
        return incoming("test", "orders", carrier={})

    with installed(integration) as telemetry:
        before, client = context.get_current(), Client()
        assert list(client) == [1, 0]
        with pytest.raises(StopIteration, match="no more"):
            next(client)

        assert len(telemetry.spans) == 2
        assert context.get_current() is before


def test_a_generator_that_yields_messages_goes_on(integration: Integration) -> None:
    """A consumer read within a generator of the application's hands out its messages."""

    @integration.processes_each(f"{LIBRARY}:Client.__next__")
    def describe(message: int, consumer: Client) -> Hop:
        return incoming("test", "orders", carrier={})

    def doubled(client: Client) -> Iterator[int]:
        for number in client:
            yield 2 * number

    with installed(integration) as telemetry:
        generator = doubled(Client())
        assert next(generator) == 2
        generator.close()

    assert len(telemetry.spans) == 1


@pytest.mark.parametrize("target", ["Client.anything", "without_signature"])
def test_a_function_that_does_not_tell_its_parameters_is_called_all_the_same(
    integration: Integration, target: str
) -> None:
    """A description that cannot be made loses a span, and changes nothing else."""
    integration.calls(f"{LIBRARY}:{target}")(hop)
    with installed(integration, strict=False) as telemetry:
        assert Client().anything("orders", deep=True) == (("orders",), {"deep": True})
        assert library.without_signature("ab") == {"a": None, "b": None}

    assert telemetry.spans == []


def test_a_library_that_lacks_a_function_is_left_as_it_was(integration: Integration) -> None:
    """An integration that cannot be installed as a whole patches nothing."""
    before = vars(Client)["ask"]
    integration.calls(f"{LIBRARY}:Client.ask", f"{LIBRARY}:Client.no_such")(hop)
    with pytest.raises(AttributeError, match="no_such"):
        integration.install()

    assert vars(Client)["ask"] is before


async def test_a_wrapper_put_on_top_of_ours_stays(integration: Integration) -> None:
    """Uninstalling leaves what others have wrapped since in place, and is quiet below it."""
    original = vars(Client)["ask"]
    calls: list[str] = []

    async def theirs(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        calls.append(args[0])
        return await wrapped(*args, **kwargs)

    integration.calls(f"{LIBRARY}:Client.ask")(hop)
    try:
        with installed(integration):
            wrapt.wrap_function_wrapper(library, "Client.ask", theirs)
        with installed(Integration("other", supports="other")) as telemetry:
            assert await Client().ask("orders") == "orders"
    finally:
        Client.ask = original  # type: ignore[method-assign]

    assert calls == ["orders"]
    assert telemetry.spans == []


def test_what_a_function_takes_by_any_name_may_be_left_out() -> None:
    """Whether it was passed is told from None, and it may be added."""

    def ask(url: str, **other: Any) -> tuple[str, dict[str, Any]]:
        return url, other

    without, given = Call.of(ask, None, ("/",), {}), Call.of(ask, None, ("/",), {"headers": None})
    assert [call.get("headers", "own") for call in (without, given)] == ["own", None]
    assert without["headers"] is None
    without["headers"] = {"a": "1"}
    assert without.proceed(ask) == ("/", {"headers": {"a": "1"}})
    assert [without.get("url", None), given.get("url", None)] == ["/", "/"]


def test_a_function_that_hides_its_parameters_has_no_names() -> None:
    """Behind `*args, **kwargs` nobody knows which argument is which: nothing is guessed."""

    def hiding(*args: Any, **kwargs: Any) -> None: ...

    with pytest.raises(KeyError):
        Call.of(hiding, None, ("/",), {})["url"]


def test_arguments_have_names_however_they_were_passed() -> None:
    """Reading gives what was passed or the default; writing leaves the caller's own alone."""
    names = {"topic": (0, None), "headers": (1, "default")}
    given = {"topic": "orders"}
    by_name, by_position = Call(None, names, (), given), Call(None, names, ("orders", None), {})
    by_name["headers"] = by_position["headers"] = [1]

    assert (by_name["topic"], by_position["topic"]) == ("orders", "orders")
    assert by_name.proceed(lambda *a, **k: (a, k)) == ((), {"topic": "orders", "headers": [1]})
    assert by_position.proceed(lambda *a, **k: (a, k)) == (("orders", [1]), {})
    assert given == {"topic": "orders"}


async def test_an_argument_may_be_amended(integration: Integration) -> None:
    """The library gets what was written, and there is no hop; a mistake of ours changes nothing."""

    def amend(call: Call) -> None:
        call["topic"] = f"{call['topic']} amended"
        if "bad" in call["topic"]:
            raise ValueError("ours")

    integration.amends(f"{LIBRARY}:Client.ask")(amend)
    with installed(integration, strict=False) as telemetry:
        assert await Client().ask("orders") == "orders amended"
        assert await Client().ask(topic="bad") == "bad"
    assert await Client().ask("orders") == "orders"
    assert telemetry.spans == []


async def test_a_library_may_handle_its_message_itself(integration: Integration) -> None:
    """What it calls for that is within the hop; what is no message, is not."""

    def message_hop(client: Client, topic: str) -> Hop | None:
        return None if topic == "ping" else incoming("test", topic, carrier={})

    integration.processes(f"{LIBRARY}:Client.ask")(message_hop)
    with installed(integration) as telemetry:
        assert [await Client().ask(topic) for topic in ("ping", "orders")] == ["ping", "orders"]
        await asyncio.sleep(0)

    assert telemetry.span().name == "process orders"
