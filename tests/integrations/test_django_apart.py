"""Django in other circumstances: answers in parts, mounts, its clients for tests, contrib."""

import asyncio
import gc
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished
from django.http import FileResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from opentelemetry.context import get_current
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as AsgiMiddleware
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WsgiMiddleware
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.routing import Mount

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.django_project import project
from tests.integrations.django_views import ROUTES, Ask, by_asgi, by_wsgi
from tests.integrations.wsgi_calls import called, current, get

SERVER = SpanKind.SERVER
EITHER = pytest.mark.parametrize("ask", [by_wsgi, by_asgi])


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What is recorded of the service `tested`."""
    with capture("tested", integrations=["django"]) as telemetry:
        yield telemetry


def parts(seen: list[int]) -> Iterator[bytes]:
    for _ in range(3):
        seen.append(current())
        yield b"part"


async def parts_async(seen: list[int]) -> AsyncIterator[bytes]:
    for part in parts(seen):
        yield part


@EITHER
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
@pytest.mark.parametrize("made", [parts, parts_async])
async def test_parts_of_either_kind_are_made_within_the_span(
    telemetry: Telemetry, ask: Ask, made: Any
) -> None:
    """Also those that Django has to convert for its handler: to the last part it is one hop."""
    seen: list[int] = []
    with project(path("", lambda request: StreamingHttpResponse(made(seen)))):
        assert await ask("/") == (200, b"partpartpart")

    assert seen == [telemetry.span(kind=SERVER).context.span_id] * 3


def test_a_streamed_answer_is_one_hop_to_its_end(telemetry: Telemetry) -> None:
    """Between two parts the server has its own context; work after the answer is in the span."""
    before, after = get_current(), list[int]()

    def finished(**of: Any) -> None:
        after.append(current())

    request_finished.connect(finished)
    with project(path("", lambda request: StreamingHttpResponse(parts([])))):
        answer = called(WSGIHandler())
        for _ in answer:
            assert get_current() is before
        assert telemetry.spans == []
        answer.close()
    request_finished.disconnect(finished)

    assert after == [telemetry.span(kind=SERVER).context.span_id]


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # Django's: the request's body
@EITHER
async def test_an_error_in_the_middle_of_an_answer_is_the_hops(
    telemetry: Telemetry, ask: Ask
) -> None:
    """The server gets the very exception, and the hop failed though its status says 200."""

    def broken() -> Iterator[bytes]:
        yield b"part"
        raise ValueError("on purpose")

    async def broken_async() -> AsyncIterator[bytes]:
        for part in broken():
            yield part

    made = broken if ask is by_wsgi else broken_async
    with (
        project(path("", lambda request: StreamingHttpResponse(made()))),
        pytest.raises(ValueError, match="on purpose"),
    ):
        await ask("/")
    gc.collect()

    assert telemetry.count(names.HOP_DURATION, error_class="server_error") == 1
    assert len(telemetry.span(kind=SERVER).events) == 1


def test_a_servers_own_file_wrapper_gets_its_very_object(telemetry: Telemetry) -> None:
    """A server that sends files by itself knows them by the object that its wrapper made."""
    with project(path("", lambda request: FileResponse(io.BytesIO(b"file")))):
        answer = called(WSGIHandler(), **{"wsgi.file_wrapper": FileWrapper})

        assert type(answer) is FileWrapper
        assert b"".join(answer) == b"file"
        answer.close()
    assert telemetry.count(names.HOP_DURATION) == 1


@EITHER
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
async def test_a_file_is_one_hop(telemetry: Telemetry, ask: Ask) -> None:
    """Without a server's own means Django reads it."""
    with project(path("", lambda request: FileResponse(io.BytesIO(b"file")))):
        assert await ask("/") == (200, b"file")

    assert telemetry.count(names.HOP_DURATION) == 1


async def test_a_mounted_project_is_one_hop() -> None:
    """The template has what is mounted where."""
    with project(*ROUTES), capture(integrations=["django", "starlette"]) as telemetry:
        app = Starlette(routes=[Mount("/{tenant}", ASGIHandler())])
        status, _ = await by_asgi("/acme/orders/7", app=app)

    assert status == 200
    assert telemetry.span(kind=SERVER).name == "GET /{tenant}/orders/<int:order>"


def test_the_handler_of_static_files_is_one_hop(telemetry: Telemetry) -> None:
    """The development server's handler calls the one that it is made of."""
    with project(*ROUTES, STATIC_URL="/static/"):
        handler = StaticFilesHandler(WSGIHandler())
        get(handler, "/orders/7")
        get(handler, "/static/none.css")

    assert [span.name for span in telemetry.spans] == ["GET /orders/<int:order>", "GET"]


async def test_djangos_clients_for_tests_go_on_working(telemetry: Telemetry) -> None:
    """They ask no server, so they make no hop; the views' exceptions reach the test."""
    with project(*ROUTES):
        for answer in (
            await asyncio.to_thread(Client().get, "/orders/7"),
            await AsyncClient().get("/async/7"),
        ):
            assert (answer.status_code, answer.content) == (200, b"0")
        with pytest.raises(ValueError, match="on purpose"):
            await AsyncClient().get("/raises-async/ValueError")
        client = Client(raise_request_exception=False)
        assert (await asyncio.to_thread(client.get, "/raises/ValueError")).status_code == 500

    assert telemetry.spans == []


async def test_what_is_no_http_request_is_djangos_to_refuse(telemetry: Telemetry) -> None:
    """The error is Django's own, of a WebSocket and of a call without arguments."""
    with project():
        handlers: tuple[Any, Any] = WSGIHandler(), ASGIHandler()
    for handler in handlers:
        with pytest.raises(TypeError, match="missing"):
            await handler()
    with pytest.raises(ValueError, match="can only handle ASGI/HTTP"):
        await handlers[1]({"type": "websocket", "path": "/", "headers": []}, None, None)


def scopes(telemetry: Telemetry) -> list[str]:
    spans = telemetry.matching(kind=SERVER)
    return [span.instrumentation_scope.name for span in spans if span.instrumentation_scope]


@EITHER
async def test_a_project_that_contrib_instruments_keeps_its_span(
    telemetry: Telemetry, ask: Ask
) -> None:
    """Ours steps aside for an instrumentor that the application has activated."""
    instrumentor = DjangoInstrumentor()
    with project(*ROUTES):
        instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
        try:
            await ask("/orders/7")
        finally:
            instrumentor.uninstrument()
        await ask("/orders/7")

    assert scopes(telemetry) == ["opentelemetry.instrumentation.django", names.SCOPE]
    assert telemetry.count(names.HOP_DURATION, side="server") == 2


async def test_contribs_middleware_around_keeps_its_span(telemetry: Telemetry) -> None:
    """OpenTelemetry's WSGI or ASGI middleware around the handler makes the span."""
    provider = telemetry.tracer_provider
    with project(*ROUTES):
        get(WsgiMiddleware(WSGIHandler(), tracer_provider=provider), "/orders/7")
        await by_asgi("/orders/7", app=AsgiMiddleware(ASGIHandler(), tracer_provider=provider))

    of_contrib = "opentelemetry.instrumentation."
    assert scopes(telemetry) == [of_contrib + "wsgi", of_contrib + "asgi"]
    assert telemetry.count(names.HOP_DURATION, side="server") == 2


@pytest.mark.parametrize("prefer", ["kit", "contrib"])
def test_the_settings_are_the_applications_to_configure(prefer: str) -> None:
    """Django is imported before its settings are known, and its handlers are made after."""
    program = (
        "import sys\n"
        "from otel_kit.testing import capture\n"
        "with capture('x', prefer=sys.argv[1], integrations=['django']) as telemetry:\n"
        "    import django\n"
        "    from django.conf import settings\n"
        "    assert not settings.configured\n"
        "    from tests.django_project import project\n"
        "    from tests.integrations.django_views import ROUTES, WSGIHandler, get\n"
        "    with project(*ROUTES):\n"
        "        get(WSGIHandler(), '/orders/7')\n"
        "    print(telemetry.span().instrumentation_scope.name)\n"
    )
    command = [sys.executable, "-c", program, prefer]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    theirs = "opentelemetry.instrumentation.django"
    assert done.stdout.split() == [names.SCOPE if prefer == "kit" else theirs]
