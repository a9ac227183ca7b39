"""Strangers on the network: whatever their requests say, labels stay within their limits."""

import httpx
import pytest
from fastapi import FastAPI

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.contract.harness.starlette import FastApi

STRANGERS = 600
PEERS = 200
"""The default of OTEL_KIT_MAX_PEERS."""


class Shop(FastApi):
    """A server whose handler finishes the saga that its caller says it is in."""

    def application(self) -> FastAPI:
        app = FastAPI()

        @app.get("/orders/{order}")
        async def finish(order: str) -> None:
            if (saga := otel_kit.current_saga()) is not None:
                saga.finish("completed")

        return app


def hostile(number: int) -> dict[str, str]:
    """Headers of a caller that nobody has heard of, in a saga of its own kind."""
    span = f"{number + 1:016x}"
    return {
        "traceparent": f"00-{number + 1:032x}-{span}-01",
        "tracestate": f"otelkit=c:stranger-{number};p:{span}",
        "baggage": f"saga.id=order-{number},saga.name=kind-{number}",
    }


async def attacked(shop: Shop) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.port}") as client:
        for number in range(STRANGERS):
            known = (await client.get(f"/orders/{number}", headers=hostile(number))).status_code
            unknown = (await client.get(f"/no/{number}", headers=hostile(number))).status_code
            assert (known, unknown) == (200, 404)
        assert (await client.get("/orders/1")).status_code == 200
        await client.request("BREW" * 20, "/orders/1")


@pytest.fixture
async def telemetry() -> Telemetry:
    """What a real server recorded of thousands of requests by strangers, and of one by nobody."""
    with capture("shop", integrations=("fastapi",)) as telemetry:
        async with Shop() as shop:
            await attacked(shop)
        # A service that it calls is named all the same: strangers take nothing of its limit.
        with otel_kit.call(
            otel_kit.http_request("GET", carrier={}, scheme="http", host="bank", port=80)
        ):
            pass
    return telemetry


def values(telemetry: Telemetry, metric: str, label: str) -> set[str]:
    return {str(p.labels[label]) for p in telemetry.points(metric) if label in p.labels}


async def test_labels_stay_within_their_limits(telemetry: Telemetry) -> None:
    """Made-up callers, sagas, paths and methods end as `_OTHER`, counted; nothing is lost."""
    for metric, label in (
        (names.HOP_DURATION, "client"),
        (names.PROPAGATION_MESSAGES, "client"),
        (names.GRAPH_REQUESTS, "client"),
        (names.SAGA_FINISHED, "name"),
    ):
        found = values(telemetry, metric, label)
        strangers = {each for each in found if each.startswith(("stranger", "kind"))}
        assert len(strangers) == PEERS, metric
        assert found - strangers <= {"_OTHER", "unknown", "shop"}
    overflow = telemetry.count(names.HOP_DURATION, side="server", client="_OTHER")
    assert overflow == 2 * (STRANGERS - PEERS)
    assert telemetry.count(names.SAGA_FINISHED, name="_OTHER") == STRANGERS - PEERS
    assert telemetry.count(names.HOP_DURATION, side="server") == 2 * STRANGERS + 2
    assert telemetry.count(names.HOP_DURATION, server="bank:80", client="shop") == 1
    assert telemetry.count(names.PROPAGATION_MESSAGES, client="unknown", result="missing") == 2
    operations = values(telemetry, names.HOP_DURATION, "operation")
    assert operations == {"GET /orders/{order}", "GET", "HTTP /orders/{order}"}
    assert values(telemetry, names.HTTP_SERVER_DURATION, "http.request.method") == {"GET", "_OTHER"}
