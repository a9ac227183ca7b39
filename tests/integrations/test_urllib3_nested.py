"""urllib3 below and within another hop: which calls are a hop of their own."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from urllib3 import PoolManager, Retry

from otel_kit.integrations import urllib3 as integration
from otel_kit.testing import capture
from tests.integrations.http_origin import origin
from tests.integrations.urllib3_calls import CLIENT, hops

AT_ONCE = Retry(2, redirect=2, status_forcelist=[429, 503], backoff_factor=0)


def test_a_body_that_is_fetched_meanwhile_is_a_hop_of_its_own() -> None:
    """What a body's generator asks of another server is a child of the hop it is in."""
    with origin() as source, origin() as server, PoolManager() as manager:

        def body() -> Iterator[bytes]:
            yield manager.request("GET", source.url).data

        with capture(integrations=["urllib3"]) as telemetry:
            manager.request("POST", server.url, body=body(), headers={"content-length": "4"})

    inner, outer = telemetry.spans
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


SETTINGS: list[dict[str, Any]] = [
    {"integrations": ["requests", "urllib3"]},
    {"integrations": ["requests"]},
    {"integrations": ["urllib3"]},
    {"disabled_integrations": ["requests"]},
    {"disabled_integrations": ["urllib3"]},
    {"integrations": ["requests", "urllib3"], "propagators": ["none"]},
    {"integrations": ["requests", "urllib3"], "propagators": ["baggage"]},
    {"integrations": ["requests", "urllib3"], "prefer": "contrib"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("path", ["/", "/redirects"])
def test_requests_is_one_hop_whatever_is_switched_off(settings: dict[str, Any], path: str) -> None:
    """Under requests there is no second hop, and without its integration there is urllib3's."""
    answers = {"/redirects": (302, {"location": "/"})}
    with (
        origin(lambda path: answers.get(path, (200, {}))) as server,
        capture(**settings) as telemetry,
        requests.Session() as session,
    ):
        session.trust_env = False
        session.get(f"{server.url}{path}")

    # Below requests, a redirect is a call of its own.
    alone = "requests" not in settings.get("integrations", ["requests"])
    alone = alone or "requests" in settings.get("disabled_integrations", ())
    expected = 2 if path == "/redirects" and alone else 1
    assert len(telemetry.matching(kind=CLIENT)) == hops(telemetry) == expected


@pytest.mark.parametrize("propagators", ["none", "baggage", "tracecontext"])
def test_a_call_is_one_hop_whatever_is_sent(propagators: str) -> None:
    """Redirects and retries make no second hop where no header could tell them."""
    answers = iter([(302, {"location": "/on"}), (503, {})])
    with (
        origin(lambda _: next(answers, (200, {}))) as server,
        capture(integrations=["urllib3"], propagators=[propagators]) as telemetry,
        PoolManager() as manager,
    ):
        manager.request("GET", server.url, retries=AT_ONCE)

    assert len(server.targets) == 3
    assert len(telemetry.spans) == hops(telemetry) == 1


def test_below_contribs_requests_there_is_no_hop_of_ours() -> None:
    """An instrumentation that has made the HTTP span asks those below it for none."""
    instrumentor = RequestsInstrumentor()
    with origin() as server, capture(integrations=["requests", "urllib3"]) as telemetry:
        instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
        try:
            requests.get(server.url, timeout=5)
        finally:
            instrumentor.uninstrument()

    scope = telemetry.span(kind=CLIENT).instrumentation_scope
    assert scope is not None
    assert scope.name == "opentelemetry.instrumentation.requests"
    assert hops(telemetry) == 1


def test_an_exporters_own_requests_make_no_hops() -> None:
    """Exporters send with instrumentation suppressed: no span, no header."""
    with (
        origin() as server,
        capture(integrations=["urllib3"]) as telemetry,
        suppress_instrumentation(),
        PoolManager() as manager,
    ):
        manager.request("POST", f"{server.url}/v1/traces")

    assert telemetry.spans == []
    assert "traceparent" not in server.headers[0]


@pytest.mark.parametrize("above", ["requests", "a manager"])
def test_a_nested_call_is_not_even_described(above: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known by the headers of the hop around it, at next to no cost."""
    calls: list[Any] = []
    describe = vars(integration)["_request"]

    def counted(*call: Any) -> Any:
        calls.append(call)
        return describe(*call)

    monkeypatch.setattr(integration, "_request", counted)
    with (
        origin() as server,
        capture(integrations=["requests", "urllib3"]) as telemetry,
        PoolManager() as manager,
    ):
        if above == "requests":
            requests.get(server.url, timeout=5)
        else:
            manager.request("GET", server.url)

    assert (len(calls), hops(telemetry)) == (0 if above == "requests" else 1, 1)
