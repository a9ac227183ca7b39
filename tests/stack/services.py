"""A service over HTTP: one of the kit, or one with nothing but stock OpenTelemetry.

Run as ``python services.py kit|contrib|stock NAME PORT [URL ...]``.  Asked, it asks the URLs.
"""

import sys

import httpx
import starlette.applications
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import otel_kit


def stock(name: str) -> None:
    """OpenTelemetry as its documentation sets it up."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    StarletteInstrumentor().instrument()
    HTTPXClientInstrumentor().instrument()


def main(how: str, name: str, port: str, *urls: str) -> None:
    """Serve until told to end."""
    if how == "stock":
        stock(name)
    else:
        otel_kit.instrument(name, prefer=how)

    async def answer(request: Request) -> PlainTextResponse:
        async with httpx.AsyncClient(trust_env=False) as client:
            for url in urls:
                (await client.get(url)).raise_for_status()
        return PlainTextResponse(name)

    # The name of now: an instrumentation may have put a class of its own there.
    app = starlette.applications.Starlette(routes=[Route("/", answer)])
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
