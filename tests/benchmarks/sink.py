"""Takes spans in from every subject, and counts them.

    python -m tests.benchmarks.sink   prints its URL, and serves until its input ends

A process of its own, so that its CPU is nobody's.  It speaks OTLP/HTTP, the traces API of Datadog's
agent, and Sentry's envelopes; `GET /delivered` tells how many spans arrived.
"""

import asyncio
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks import msgpack
from tests.benchmarks.listening import loopback

_AGENT: Final = {
    "version": "7.70.0",
    "client_drop_p0s": True,
    "endpoints": ["/v0.4/traces", "/v0.5/traces", "/v0.6/stats"],
}
"""What an agent says of itself at /info."""
_INFLATE: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


def otlp_spans(body: bytes) -> int:
    """In an OTLP request of traces."""
    request = ExportTraceServiceRequest.FromString(body)
    return sum(
        len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans
    )


def agent_spans(path: str, body: bytes) -> int:
    """In a request to /v0.4/traces (traces of spans) or /v0.5/traces (after a table of strings)."""
    at = 0
    if path.startswith("/v0.5"):
        at = msgpack.skip(body, msgpack.array(body, at)[1])
    traces, at = msgpack.array(body, at)
    count = 0
    for _ in range(traces):
        count += msgpack.array(body, at)[0]
        at = msgpack.skip(body, at)
    return count


def envelope_spans(body: bytes) -> int:
    """In an envelope of Sentry: a transaction is one, besides those within; other items none."""
    count, at = 0, body.index(b"\n") + 1
    while at < len(body):
        end = body.index(b"\n", at)
        header = json.loads(body[at:end])
        length = header.get("length", len(body) - end - 1)
        if header["type"] == "transaction":
            count += 1 + len(json.loads(body[end + 1 : end + 1 + length])["spans"])
        at = end + 1 + length + 1
    return count


def spans(path: str, body: bytes) -> int:
    """In a request to that path: 0 if it is for anything else than spans."""
    if path == "/v1/traces":
        return otlp_spans(body)
    if path.endswith("/traces"):
        return agent_spans(path, body)
    return envelope_spans(body) if path.endswith("/envelope/") else 0


def _answer(path: str, delivered: int) -> bytes:
    if path.endswith("/traces") and path.startswith("/v0"):
        return b'{"rate_by_service": {}}'
    if path == "/info":
        return json.dumps(_AGENT).encode()
    if path == "/delivered":
        return str(delivered).encode()
    return b""


class Sink:
    """An ASGI application."""

    def __init__(self) -> None:
        self.delivered = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        inflate = _INFLATE.get(headers.get("content-encoding", ""), bytes)
        self.delivered += spans(scope["path"], inflate(body))
        content = _answer(scope["path"], self.delivered)
        length = (b"content-length", str(len(content)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": content})


async def _serve() -> None:
    config = uvicorn.Config(Sink(), lifespan="off", log_level="error", access_log=False)
    server = uvicorn.Server(config)
    with loopback() as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        serving = asyncio.create_task(server.serve([listening]))
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(_serve())
