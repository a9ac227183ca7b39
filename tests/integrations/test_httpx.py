"""What is peculiar to httpx: requests of the caller's own, event hooks, redirects."""

import asyncio
from typing import Any

import httpx
import pytest
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.testing import capture

CLIENT = SpanKind.CLIENT


async def test_one_request_may_be_sent_several_times_at_once() -> None:
    """Each sending has a span of its own in its headers; the caller's request is as it was."""
    sent: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        sent.append(request.headers["traceparent"].split("-")[2])
        return httpx.Response(200, content=await request.aread())

    with capture(integrations=["httpx"]) as telemetry:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            request = client.build_request("POST", "http://there/", content=b"body")
            before = list(request.headers.raw)
            replies = await asyncio.gather(*(client.send(request) for _ in range(3)))

    assert {f"{span.context.span_id:016x}" for span in telemetry.spans} == set(sent)
    assert len(set(sent)) == 3
    assert before == list(request.headers.raw)
    assert {reply.content for reply in replies} == {b"body"}


def test_a_status_that_a_hook_raises_for_is_the_status() -> None:
    """An event hook that calls `raise_for_status` leaves status and class what they are."""

    def refuse(response: httpx.Response) -> None:
        response.raise_for_status()

    peer = httpx.MockTransport(lambda _: httpx.Response(503))
    with (
        capture(integrations=["httpx"]) as telemetry,
        httpx.Client(transport=peer, event_hooks={"response": [refuse]}) as client,
        pytest.raises(httpx.HTTPStatusError),
    ):
        client.get("http://there/")

    span: Any = telemetry.span(kind=CLIENT)
    assert span.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 503
    assert span.attributes[names.ERROR_TYPE] == "503"
    assert telemetry.count(names.HOP_DURATION, error_class="unavailable") == 1


def test_a_redirect_does_not_name_the_address_that_redirects() -> None:
    """The name in the last reply belongs to the address that sent it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "old":
            return httpx.Response(302, headers={"location": "http://new/"})
        return httpx.Response(200, headers={"server-timing": 'otelkit;desc="newer";dur=1'})

    peers = httpx.MockTransport(answer)
    with capture(integrations=["httpx"]) as telemetry, httpx.Client(transport=peers) as client:
        client.get("http://old/", follow_redirects=True)
        client.get("http://old/")

    servers = [(span.attributes or {})[names.PEER_NAME] for span in telemetry.spans]
    assert servers == ["newer", "old:80"]
