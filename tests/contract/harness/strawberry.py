"""Strawberry's own ASGI application, served by uvicorn."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import strawberry
from strawberry import subscriptions
from strawberry.asgi import GraphQL

from otel_kit.testing.contract.base import Behaviour, Reply
from otel_kit.testing.contract.http_peer import STATUS, http_get
from tests.contract.harness.asgi import AsgiHarness

_IN_PARTS = getattr(subscriptions, "MULTIPART_SUBSCRIPTION_PROTOCOL", None)
"""A newer Strawberry's."""
_STREAMS = {"accept": "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"}


class StrawberryAsgi(AsgiHarness):
    """What a request is to do is in its query string; what has another path has none."""

    library = "strawberry-asgi"
    operation = "GET"
    event_streams = False
    streams = _IN_PARTS is not None

    def application(self) -> Any:
        harness = self

        @strawberry.type
        class Query:
            ok: str = "ok"

        @strawberry.type
        class Subscription:
            @strawberry.subscription
            async def parts(self) -> AsyncIterator[str]:
                async for part in harness.parts():
                    yield part.decode()

        class Served(GraphQL[Any, Any]):
            async def get_context(self, request: Any, response: Any) -> Any:
                behaviour = request.query_params.get("behaviour", Behaviour.OK)
                await harness.asked(behaviour, request.headers, request.scope)
                response.status_code = STATUS[Behaviour(behaviour)]
                return {"request": request}

            async def get_root_value(self, request: Any) -> Any:
                return Query()

        schema = strawberry.Schema(Query, subscription=Subscription)
        return Served(schema, subscription_protocols=[_IN_PARTS] if self.streams else [])

    async def request(
        self, behaviour: Behaviour, *, headers: dict[str, str] | None = None, path: str = ""
    ) -> Reply:
        streams = behaviour is Behaviour.STREAMS
        query = "subscription { parts }" if streams else "{ ok }"
        asked = urlencode({"query": query, "behaviour": behaviour})
        sent = {**(headers or {}), **(_STREAMS if streams else {})}
        return await http_get(self.port, path or f"/?{asked}", sent)
