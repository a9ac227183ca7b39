"""Strawberry: the operation of a GraphQL request names its hop, and its errors class it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from opentelemetry.trace import SpanKind, StatusCode
from strawberry.extensions import MaskErrors
from strawberry.extensions.tracing import OpenTelemetryExtension

import otel_kit
from otel_kit import names
from otel_kit.hops.peers import Bounded
from otel_kit.testing import Telemetry, capture
from tests.integrations.graphql_servers import FRAMEWORKS, KINDS, OutOfStock, asked, schema, served

SERVER = SpanKind.SERVER
ROUTE = "POST /graphql"
TWO = "query A { span } query B { raises }"


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What is recorded of the service `tested`, whichever library serves it."""
    with capture("tested", integrations=["strawberry", *FRAMEWORKS]) as telemetry:
        yield telemetry


def hops(telemetry: Telemetry, **labels: object) -> int:
    return telemetry.count(names.HOP_DURATION, side="server", **labels)


async def answer(body: Any, **options: Any) -> Any:
    """What the schema answers to one request over HTTP."""
    async with served("fastapi", schema(**options)) as url:
        return await asked(url, body)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_operation_names_the_requests_only_hop(telemetry: Telemetry, kind: str) -> None:
    """Whatever serves it: span, label and attributes, and the resolver runs within the span."""
    async with served(kind, schema()) as url:
        got = await asked(url, {"query": "query Orders { span }"})

    (span,) = telemetry.spans
    attributes = span.attributes or {}
    assert (span.name, span.kind) == ("query Orders", SERVER)
    assert attributes[names.GRAPHQL_OPERATION_NAME] == "Orders"
    assert attributes[names.GRAPHQL_OPERATION_TYPE] == "query"
    assert str(attributes.get(names.HTTP_ROUTE, "/graphql")).startswith("/graphql")
    assert hops(telemetry, operation="query Orders", transport="http") == hops(telemetry) == 1
    assert got.json() == {"data": {"span": f"{span.context.span_id:x}"}}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_of_an_answer_is_the_hops(telemetry: Telemetry, kind: str) -> None:
    """The status is 200, and the exception of the resolver is the server's error, recorded once."""
    async with served(kind, schema()) as url:
        got = await asked(url, {"query": "query Orders { raises }"})

    span = telemetry.span(kind=SERVER)
    assert got.status_code == 200
    assert hops(telemetry, error_class="server_error", operation="query Orders") == 1
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.ERROR_TYPE] == "ValueError"
    assert [(event.attributes or {})["exception.type"] for event in span.events] == ["ValueError"]


NAMED = [
    ({"query": "mutation PlaceOrder { placeOrder }"}, "mutation PlaceOrder"),
    ({"query": "{ span }"}, "query span"),
    ({"query": "mutation { other: placeOrder }"}, "mutation placeOrder"),
    ({"query": "{ __schema { description } }"}, "query __schema"),
    ({"query": "{ span number }"}, "query"),
    ({"query": "{ ...F } fragment F on Query { span }"}, "query"),
    ({"query": "{ nothing }"}, "query"),
    ({"query": TWO, "operationName": "B"}, "query B"),
    ({"query": f"query {'a' * 64} {{ span }}"}, "query " + "a" * 64),
    ({"query": f"query {'a' * 65} {{ span }}"}, "query span"),
    ({"query": TWO, "operationName": "C"}, ROUTE),
    ({"query": "{"}, ROUTE),
    ({}, ROUTE),
    ([{"query": "query A { span }"}, {"query": "query A { number }"}], "query A"),
    ([{"query": "query A { span }"}, {"query": "query B { span }"}], ROUTE),
    ([{"query": f"query {name} {{ span }}"} for name in "ABA"], ROUTE),
]


@pytest.mark.parametrize(("body", "operation"), NAMED, ids=str)
async def test_what_is_asked_for_has_a_bounded_name(
    telemetry: Telemetry, body: Any, operation: str
) -> None:
    """Its own up to a length, else its type's and field's; what is many or none has the route's."""
    await answer(body)

    span = telemetry.span(kind=SERVER)
    assert span.name == operation
    assert hops(telemetry, operation=operation) == hops(telemetry) == 1
    assert (names.GRAPHQL_OPERATION_TYPE in (span.attributes or {})) == (operation != ROUTE)


async def test_a_flood_of_names_ends(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many, a name is on the span only, and the root field is the label."""
    monkeypatch.setattr("otel_kit.integrations._graphql._names", Bounded(2))
    async with served("fastapi", schema()) as url:
        for name in ("A", "B", "C", "A"):
            await asked(url, {"query": f"query {name} {{ span }}"})

    assert [span.name for span in telemetry.spans] == [
        "query A",
        "query B",
        "query span",
        "query A",
    ]
    third = telemetry.spans[2].attributes or {}
    assert third[names.GRAPHQL_OPERATION_NAME] == "C"


@pytest.mark.parametrize("kind", ["fastapi", "flask"])
async def test_concurrent_requests_have_their_own_names(telemetry: Telemetry, kind: str) -> None:
    """Also of a schema that keeps its extensions from one execution to the next."""
    kept = schema()
    extensions = kept.get_extensions()
    kept.get_extensions = lambda sync=False: extensions  # type: ignore[method-assign]
    async with served(kind, kept) as url:
        bodies = [{"query": f"query Q{n} {{ span }}"} for n in range(20)]
        got = await asyncio.gather(*(asked(url, body) for body in bodies))

    spans = {f"{span.context.span_id:x}": span.name for span in telemetry.spans}
    answers = [each.json()["data"]["span"] for each in got]
    assert [spans[answer] for answer in answers] == [f"query Q{n}" for n in range(20)]


ERRORS = [
    ("{ declines }", "business", "ERROR"),
    ("{ refuses }", "client_error", "UNSET"),
    ("{ number }", "serialization", "ERROR"),
    ("{ refuses declines raises }", "server_error", "ERROR"),
    ("{ refuses declines }", "business", "ERROR"),
    ("{ nothing }", "client_error", "UNSET"),
    ("{ secret", "client_error", "UNSET"),
    ("query Q($n: Int!) { span __type(name: $n) { name } }", "client_error", "UNSET"),
]


@pytest.mark.parametrize(("query", "error_class", "status"), ERRORS)
@pytest.mark.parametrize("kind", ["fastapi", "flask"])
async def test_errors_are_classed_by_what_they_were(
    telemetry: Telemetry, query: str, error_class: str, status: str, kind: str
) -> None:
    """By the application's own exceptions, though the caller is not told; the worst counts."""
    otel_kit.classify_as(otel_kit.ErrorClass.BUSINESS, OutOfStock)
    async with served(kind, schema(extensions=[MaskErrors])) as url:
        got = await asked(url, {"query": query})

    assert (got.status_code, bool(got.json()["errors"])) == (200, True)
    assert hops(telemetry, error_class=error_class) == hops(telemetry) == 1
    assert telemetry.span(kind=SERVER).status.status_code.name == status


@pytest.mark.parametrize("query", ["{ span secret }", "{ span secret", "query Q { span raises }"])
async def test_no_document_is_recorded(telemetry: Telemetry, query: str) -> None:
    """Neither as an attribute nor in the text of an error."""
    await answer({"query": query})

    assert "span" not in telemetry.span(kind=SERVER).to_json().replace("span_id", "")
    assert "secret" not in str([span.to_json() for span in telemetry.spans])


async def test_a_refused_request_keeps_its_status(telemetry: Telemetry) -> None:
    """Where HTTP says it, it is said once: no operation is 400."""
    got = await answer({"query": TWO, "operationName": "C"})

    assert got.status_code == 400
    assert hops(telemetry, error_class="client_error", operation=ROUTE) == 1


async def test_what_a_resolver_executes_is_part_of_its_operation(telemetry: Telemetry) -> None:
    """Neither the name nor the errors of an execution within are the request's."""
    got = await answer({"query": "query Outer { nested }"})

    assert "Cannot query field" in got.json()["data"]["nested"]
    assert hops(telemetry, operation="query Outer") == hops(telemetry) == 1
    assert names.SPAN_ERROR_CLASS not in (telemetry.span(kind=SERVER).attributes or {})
    assert telemetry.span(kind=SERVER).status.status_code is StatusCode.UNSET


async def test_what_nobody_asked_over_http_is_no_hop(telemetry: Telemetry) -> None:
    """A schema that is executed by a test, or a script, records nothing."""
    tested = schema()
    assert tested.execute_sync("{ span }").data == {"span": "0"}
    assert (await tested.execute("{ raises }")).errors

    assert telemetry.spans == []
    assert hops(telemetry) == 0


async def test_within_a_hop_of_another_kind_nothing_is_renamed(telemetry: Telemetry) -> None:
    """Of a message that is handled with a query, or of a call, the name stays."""
    message = otel_kit.Hop(system="kafka", operation="process orders")
    with otel_kit.process(message):
        schema().execute_sync("query Orders { span }")

    assert [span.name for span in telemetry.spans] == ["process orders"]


async def test_answers_are_those_without_the_kit() -> None:
    """The body of every answer is the same, extensions and all."""
    bodies = [body for body, _ in NAMED] + [{"query": query} for query, _, _ in ERRORS]

    async def answers(url: str) -> list[Any]:
        got = [await asked(url, body) for body in bodies if "span" not in str(body)]
        return [(each.status_code, each.content) for each in got]

    async with served("fastapi", schema()) as url:
        without = await answers(url)
        with capture(integrations=["strawberry", "fastapi"]):
            assert await answers(url) == without


async def test_a_subscription_over_http_names_its_hop(telemetry: Telemetry) -> None:
    """Its results are the parts of one answer, to whose end the hop lasts."""
    async with served("fastapi", schema()) as url:
        got = await asked(
            url,
            {"query": "subscription Counts { count }"},
            accept="multipart/mixed;boundary=graphql;subscriptionSpec=1.0",
        )

    assert got.text.count("payload") == 3
    assert hops(telemetry, operation="subscription Counts") == hops(telemetry) == 1


async def test_over_a_websocket_the_connection_stays_the_hop(telemetry: Telemetry) -> None:
    """Whatever is asked over it, and fails, the hop has the route's name and no error."""
    asked_for = {"query": "query Orders { raises }"}
    async with (
        served("fastapi", schema()) as url,
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=["graphql-transport-ws"]) as connection,
    ):
        await connection.send_json({"type": "connection_init"})
        await connection.send_json({"id": "1", "type": "subscribe", "payload": asked_for})
        got = [await connection.receive_json() for _ in range(3)]
        await connection.close()

    assert [each["type"] for each in got] == ["connection_ack", "next", "complete"]
    span = telemetry.span(kind=SERVER)
    assert (span.name, names.SPAN_ERROR_CLASS in (span.attributes or {})) == ("GET /graphql", False)


async def test_strawberrys_own_spans_are_no_second_hop(telemetry: Telemetry) -> None:
    """Where the schema has Strawberry's extension, its SERVER span within ours counts for none."""
    extension = [
        lambda: OpenTelemetryExtension(tracer_provider=telemetry.tracer_provider)  # its own is none
    ]
    await answer({"query": "query Orders { raises }"}, extensions=extension)

    assert len(telemetry.matching(kind=SERVER)) == 2
    assert hops(telemetry, operation="query Orders") == hops(telemetry) == 1
