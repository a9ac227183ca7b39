"""Django: WSGI, served by werkzeug, and ASGI with asynchronous views, served by uvicorn."""

from contextlib import ExitStack
from typing import Any, Self

import django
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from otel_kit.hops.event_stream import TYPE
from otel_kit.testing.contract.base import Behaviour, ServerHarness
from otel_kit.testing.contract.http_peer import STATUS
from tests.contract.harness.asgi import AsgiHarness
from tests.contract.harness.wsgi import WsgiHarness
from tests.django_project import project

_ROUTE = "do/<str:behaviour>"


def _answer(behaviour: str, harness: Any) -> Any:
    if behaviour == Behaviour.STREAMS:
        return StreamingHttpResponse(harness.parts())
    if behaviour in (Behaviour.EVENTS, Behaviour.ENDLESS):
        return StreamingHttpResponse(harness.events(behaviour), content_type=TYPE)
    return HttpResponse("ok", status=STATUS[Behaviour(behaviour)])


class _Project(ServerHarness):
    """A harness whose `handle` is the project's only view."""

    library = "django"
    operation = f"GET /{_ROUTE}"
    handle: Any

    async def __aenter__(self) -> Self:
        with ExitStack() as entered:
            entered.enter_context(project(path(_ROUTE, self.handle)))
            await super().__aenter__()
            self._project = entered.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        with self._project:
            await super().__aexit__(*error)


class DjangoWsgi(_Project, WsgiHarness):
    def application(self) -> Any:
        return WSGIHandler()

    def handle(self, request: HttpRequest, behaviour: str) -> Any:
        self.asked(behaviour, request.headers, request.META)
        return _answer(behaviour, self)


class DjangoAsgi(_Project, AsgiHarness):
    sees_hang_ups = django.VERSION >= (5,)

    def application(self) -> Any:
        return ASGIHandler()

    async def handle(self, request: Any, behaviour: str) -> Any:
        await self.asked(behaviour, request.headers, request.scope)
        return _answer(behaviour, self)
