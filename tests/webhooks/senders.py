"""Senders of webhooks: the HTTP clients that the kit knows."""

import asyncio
from collections.abc import Callable, Mapping

import aiohttp
import httpx
import pytest
import requests
import tenacity
import urllib3

LIBRARIES = ["aiohttp-client", "httpx", "requests", "stamina", "tenacity", "urllib3"]
BODY = b'{"type":"order.paid","data":{"id":7}}'
WIRE = ["traceparent", "tracestate", "baggage"]
FAILURES = (
    aiohttp.ClientError,
    httpx.HTTPError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)
Post = Callable[[str, Mapping[str, str]], None]


def by_requests(url: str, headers: Mapping[str, str]) -> None:
    requests.post(url, data=BODY, headers=dict(headers), timeout=10).raise_for_status()


def by_httpx(url: str, headers: Mapping[str, str]) -> None:
    httpx.post(url, content=BODY, headers=dict(headers), trust_env=False).raise_for_status()


def by_urllib3(url: str, headers: Mapping[str, str]) -> None:
    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", url, body=BODY, headers=headers, retries=False)
    if answer.status >= 400:
        raise urllib3.exceptions.HTTPError(answer.status)


def by_aiohttp(url: str, headers: Mapping[str, str]) -> None:
    async def post() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=BODY, headers=headers) as answer,
        ):
            answer.raise_for_status()

    asyncio.run(post())


CLIENTS = pytest.mark.parametrize("post", [by_requests, by_httpx, by_urllib3, by_aiohttp])


def tried(times: int) -> tenacity.Retrying:
    return tenacity.Retrying(stop=tenacity.stop_after_attempt(times), reraise=True)
