"""``/metrics`` for Prometheus and ``/healthz`` for supervisors."""

from dataclasses import asdict
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otel_kit.embedded.api.common import get
from otel_kit.embedded.metrics import exposition
from otel_kit.embedded.store import Store


def routes(store: Store) -> list[Route]:
    """The paths of this group."""
    return [get("/metrics", partial(metrics, store)), get("/healthz", partial(healthz, store))]


def metrics(store: Store, request: Request) -> Response:
    """The live series; OpenMetrics with exemplars when the client accepts it."""
    openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
    content_type = exposition.OPENMETRICS if openmetrics else exposition.TEXT
    body = exposition.render(store.live_series(), openmetrics)
    return Response(body, headers={"content-type": content_type})


def healthz(store: Store, request: Request) -> Response:
    """200 with what is stored; 503 when the disk does not take a write."""
    health = store.health()
    row = {"status": "failing" if health.problem else "ok", **asdict(health)}
    return JSONResponse(row, 503 if health.problem else 200)
