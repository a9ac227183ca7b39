"""What is peculiar to Django: routes, errors, its two handlers."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import from_kit
from tests.django_project import project
from tests.integrations.django_views import ROUTES, Ask, by_asgi, by_wsgi
from tests.integrations.wsgi_calls import current, get

SERVER = SpanKind.SERVER
VIEWS = "tests.integrations.django_views."


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What is recorded of the service `tested`."""
    with capture("tested", integrations=["django"]) as telemetry:
        yield telemetry


@pytest.fixture(params=[by_wsgi, by_asgi])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Asks the project, by either handler."""
    with project(*ROUTES, MIDDLEWARE=[*settings.MIDDLEWARE, VIEWS + "Handling"]):
        yield request.param


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/", "GET /"),
        ("GET", "/orders/7", "GET /orders/<int:order>"),
        ("POST", "/orders/7", "POST /orders/<int:order>"),
        ("GET", "/shop/eu/items/7", "GET /shop/<slug:shop>/items/<int:item>"),
        ("GET", "/shop/eu/i7", r"GET /shop/<slug:shop>/i(\d+)$"),
        ("GET", "/old/7/", r"GET ^old/(?P<order>\d+)/$"),
        ("GET", "/raises/Http404", "GET /raises/<error>"),
        ("GET", "/shelves", "GET"),  # redirected to the one with a slash
        ("GET", "/orders/seven", "GET"),
        ("BREW", "/nowhere", "HTTP"),
    ],
)
async def test_the_operation_is_the_pattern_that_matched(
    telemetry: Telemetry, ask: Ask, method: str, path: str, operation: str
) -> None:
    """With the patterns that include it; ids, and paths that nobody serves, are in no name."""
    await ask(path, method=method)

    span = telemetry.span(kind=SERVER)
    assert span.name == operation
    _, _, route = operation.partition(" ")
    assert (span.attributes or {}).get(names.HTTP_ROUTE, "") == route


@pytest.mark.parametrize("view", ["raises", "raises-async"])
@pytest.mark.parametrize(
    ("error", "status", "error_class", "recorded"),
    [
        ("ValueError", 500, "server_error", ["ValueError"]),
        ("Http404", 404, "client_error", []),
        ("PermissionDenied", 403, "client_error", []),
        ("SuspiciousOperation", 400, "client_error", []),
        ("OutOfStock", 409, "client_error", []),
    ],
)
async def test_an_exception_is_the_hops_only_if_django_answers_500_for_it(
    telemetry: Telemetry,
    ask: Ask,
    view: str,
    error: str,
    status: int,
    error_class: str,
    recorded: list[str],
) -> None:
    """Of a sync or async view; what a middleware made an answer of is that answer, and no more."""
    assert (await ask(f"/{view}/{error}"))[0] == status

    span: Any = telemetry.span(kind=SERVER)
    assert [event.attributes["exception.type"] for event in span.events] == recorded
    assert telemetry.count(names.HOP_DURATION, error_class=error_class) == 1
    assert span.status.status_code is (StatusCode.ERROR if recorded else StatusCode.UNSET)


async def test_an_exception_of_a_middleware_is_the_hops(telemetry: Telemetry, ask: Ask) -> None:
    """As one of a view is, though no pattern has matched."""
    with project(*ROUTES, MIDDLEWARE=[VIEWS + "failing"]):
        assert (await ask("/orders/7"))[0] == 500

    span = telemetry.span(kind=SERVER)
    assert (span.name, len(span.events)) == ("GET", 1)


@pytest.mark.parametrize("path", ["/orders/7", "/async/7"])
async def test_views_and_middlewares_run_within_the_span(
    telemetry: Telemetry, ask: Ask, path: str
) -> None:
    """Sync and async, in whatever thread Django lets them run."""
    with project(*ROUTES, MIDDLEWARE=[VIEWS + "noting"]):
        _, body = await ask(path)

    span_id = f"{telemetry.span(kind=SERVER).context.span_id:x}"
    assert body.decode().split() == [span_id, span_id]
    assert current() == 0


async def test_handlers_made_before_are_seen() -> None:
    """The order of instrument() and of making a handler does not matter."""
    with project(*ROUTES):
        wsgi, asgi = WSGIHandler(), ASGIHandler()
        with capture("tested", integrations=["django"]) as telemetry:
            await asyncio.to_thread(get, wsgi, "/orders/7")
            await by_asgi("/orders/7", app=asgi)

    assert [span.name for span in telemetry.spans] == ["GET /orders/<int:order>"] * 2


@pytest.mark.parametrize("path", ["/orders/x", "/shelves", "/raises/ValueError", "/raises/Http404"])
def test_the_answer_is_what_it_would_be_without_the_kit(path: str) -> None:
    """Status, headers and body, for who does not know the kit; for who does, one header more."""
    with project(*ROUTES):
        without = get(WSGIHandler(), path)
        with capture(integrations=["django"]):
            within = get(WSGIHandler(), path)
            status, headers, body = get(WSGIHandler(), path, headers=from_kit("web"))

    assert within == without
    assert (status, body) == (without[0], without[2])
    assert headers[:-1] == without[1]
    assert headers[-1][0] == names.SERVER_TIMING


@pytest.mark.parametrize(("error", "recorded"), [("ValueError", 1), ("SystemExit", 0)])
def test_an_exception_that_leaves_the_handler_is_recorded_once(
    telemetry: Telemetry, error: str, recorded: int
) -> None:
    """Where Django lets it through the server gets the very exception, and the route is known."""
    with (
        project(*ROUTES, DEBUG_PROPAGATE_EXCEPTIONS=True),
        pytest.raises((ValueError, SystemExit), match="on purpose"),
    ):
        get(WSGIHandler(), f"/raises/{error}")

    span = telemetry.span(kind=SERVER)
    assert (span.name, len(span.events)) == ("GET /raises/<error>", recorded)
    assert current() == 0


async def test_an_error_pages_own_status_is_the_hops(telemetry: Telemetry, ask: Ask) -> None:
    """A project that answers 503 for whatever it did not expect is unavailable."""
    with project(*ROUTES, ROOT_URLCONF=Unavailable):
        assert (await ask("/raises/ValueError"))[0] == 503

    assert telemetry.count(names.HOP_DURATION, error_class="unavailable") == 1
    assert len(telemetry.span(kind=SERVER).events) == 1


class Unavailable:
    """Patterns with an error page of their own."""

    urlpatterns = ROUTES

    @staticmethod
    def handler500(request: Any) -> HttpResponse:
        return HttpResponse("later", status=503)
