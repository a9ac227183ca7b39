"""A GraphQL schema, served over HTTP by each of Strawberry's views that the kit sees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastapi
import httpx
import starlette.applications
import strawberry
import strawberry.aiohttp.views
import strawberry.asgi
import strawberry.django.views
import strawberry.fastapi
import strawberry.flask.views
from aiohttp import web
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.urls import path
from flask import Flask
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import (
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    MULTIPART_SUBSCRIPTION_PROTOCOL,
)

from tests.contract.harness.asgi import AsgiHarness
from tests.contract.harness.wsgi import WsgiHarness
from tests.django_project import project
from tests.integrations.aiohttp_app import serving
from tests.integrations.wsgi_calls import current


class OutOfStock(Exception):
    """What a shop's rules refuse."""


@strawberry.type
class Query:
    @strawberry.field
    def span(self) -> str:
        return f"{current():x}"

    @strawberry.field
    def raises(self) -> str | None:
        raise ValueError("on purpose")

    @strawberry.field
    def declines(self) -> str | None:
        raise OutOfStock("on purpose")

    @strawberry.field
    def refuses(self) -> str | None:
        raise GraphQLError("no such order")

    @strawberry.field
    def number(self) -> int | None:
        return "seven"  # type: ignore[return-value]

    @strawberry.field
    def nested(self, info: strawberry.Info) -> str:
        return str(info.schema.execute_sync("query Inner { span nothing }").errors)


@strawberry.type
class Mutation:
    @strawberry.mutation
    def place_order(self) -> str:
        return "placed"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number


def schema(**options: Any) -> strawberry.Schema:
    return strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        config=StrawberryConfig(batching_config={"max_operations": 5}),
        **options,
    )


class _Asgi(AsgiHarness):
    def __init__(self, app: Any) -> None:
        super().__init__()
        self._given = app

    def application(self) -> Any:
        return self._given


class _Wsgi(WsgiHarness):
    def __init__(self, app: Any) -> None:
        super().__init__()
        self._given = app

    def application(self) -> Any:
        return self._given


def _fastapi(schema: Any) -> Any:
    app = fastapi.FastAPI()
    router = strawberry.fastapi.GraphQLRouter(schema, subscription_protocols=PROTOCOLS)
    app.include_router(router, prefix="/graphql")
    return app


def _starlette(schema: Any) -> Any:
    app = starlette.applications.Starlette()
    app.mount("/graphql", strawberry.asgi.GraphQL(schema))
    return app


def _flask(schema: Any) -> Any:
    app = Flask("tested")
    view = strawberry.flask.views.GraphQLView.as_view("graphql", schema=schema)
    app.add_url_rule("/graphql", view_func=view)
    return app


@asynccontextmanager
async def served(kind: str, schema: Any) -> AsyncIterator[str]:
    """The URL of the schema, as that library serves it."""
    if kind == "aiohttp-server":
        app = web.Application()
        app.router.add_route("*", "/graphql", strawberry.aiohttp.views.GraphQLView(schema))
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}/graphql"
        return
    with _routes(schema):
        app = {
            "fastapi": lambda: _Asgi(_fastapi(schema)),
            "starlette": lambda: _Asgi(_starlette(schema)),
            "strawberry-asgi": lambda: _Asgi(strawberry.asgi.GraphQL(schema)),
            "flask": lambda: _Wsgi(_flask(schema)),
            "django": lambda: _Wsgi(WSGIHandler()),
            "django-asgi": lambda: _Asgi(ASGIHandler()),
        }[kind]()
        async with app as server:
            yield f"http://127.0.0.1:{server.port}/{ROUTES.get(kind, 'graphql')}"


def _routes(schema: Any) -> Any:
    sync, asynchronous = (
        view.as_view(schema=schema)
        for view in (
            strawberry.django.views.GraphQLView,
            strawberry.django.views.AsyncGraphQLView,
        )
    )
    return project(path("graphql", sync), path("graphql-async", asynchronous))


PROTOCOLS = (GRAPHQL_TRANSPORT_WS_PROTOCOL, MULTIPART_SUBSCRIPTION_PROTOCOL)
ROUTES = {"starlette": "graphql/", "django-asgi": "graphql-async"}
FRAMEWORKS = ["fastapi", "starlette", "flask", "django", "aiohttp-server", "strawberry-asgi"]
KINDS = [*FRAMEWORKS, "django-asgi"]


async def asked(url: str, body: Any, **headers: str) -> Any:
    """The answer to a POST by a client that is not instrumented."""
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.post(url, json=body, headers=headers)
