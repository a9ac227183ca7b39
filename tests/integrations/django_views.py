"""Views of many kinds, each sync and async, and how a server asks for them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpResponse
from django.urls import include, path, re_path

from tests.integrations.wsgi_calls import current, get

ERRORS = {
    error.__name__: error
    for error in (Http404, PermissionDenied, SuspiciousOperation, ValueError, SystemExit)
}
Ask = Callable[..., Awaitable[tuple[int, bytes]]]


class OutOfStock(Exception):
    """An exception that a middleware handles."""


def ok(request: Any, **found: Any) -> HttpResponse:
    """Answers the id of the span that it runs in."""
    return HttpResponse(f"{current():x}")


async def ok_async(request: Any, **found: Any) -> HttpResponse:
    return ok(request)


def raises(request: Any, error: str) -> HttpResponse:
    raise ERRORS.get(error, OutOfStock)("on purpose")


async def raises_async(request: Any, error: str) -> HttpResponse:
    return raises(request, error)


ROUTES = [
    path("", ok),
    path("orders/<int:order>", ok),
    path("async/<int:order>", ok_async),
    path("shop/<slug:shop>/", include([path("items/<int:item>", ok), re_path(r"^i(\d+)$", ok)])),
    path("shelves/", ok),
    re_path(r"^old/(?P<order>\d+)/$", ok),
    path("raises/<error>", raises),
    path("raises-async/<error>", raises_async),
]


class Handling:
    """A middleware that answers for one exception of the views."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        return HttpResponse("gone", status=409) if isinstance(error, OutOfStock) else None


def failing(get_response: Any) -> Callable[[Any], HttpResponse]:
    """A middleware that has a bug."""

    def middleware(request: Any) -> HttpResponse:
        raise ValueError("on purpose")

    return middleware


def noting(get_response: Any) -> Callable[[Any], HttpResponse]:
    """A middleware that adds the id of the span that it runs in to the answer."""

    def middleware(request: Any) -> HttpResponse:
        answer: HttpResponse = get_response(request)
        answer.content += f" {current():x}".encode()
        return answer

    return middleware


async def by_wsgi(path: str, **options: Any) -> tuple[int, bytes]:
    """Status and body, of a server that has a thread for the request."""
    status, _, body = await asyncio.to_thread(get, WSGIHandler(), path, **options)
    return int(status[:3]), body


async def by_asgi(path: str, method: str = "GET", *, app: Any = None) -> tuple[int, bytes]:
    """Status and body."""
    transport = httpx.ASGITransport(app or ASGIHandler())
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        answer = await client.request(method, path)
    return answer.status_code, answer.content
