"""OTLP over HTTP: POST /v1/traces, /v1/metrics, /v1/logs; protobuf or JSON, plain or compressed.

Source of the rules: OTLP specification 1.x, "OTLP/HTTP".
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from otel_kit.embedded.intake import SIGNALS, Intake, Signal
from otel_kit.embedded.problems import (
    Malformed,
    Refused,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)

_log = logging.getLogger(__name__)

_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_RETRY_AFTER_S: Final = "1"
_CODES: Final[dict[type[Refused], tuple[int, int]]] = {
    Malformed: (400, 3),
    TooLarge: (413, 8),
    UnsupportedMedia: (415, 3),
    Unavailable: (503, 14),
}
"""HTTP status and google.rpc.Code for each way to be refused."""


class HttpReceiver:
    """The ASGI application; ``close`` ends its worker threads."""

    def __init__(self, intake: Intake, max_body: int) -> None:
        self._intake = intake
        self._max_body = max_body
        self._workers = ThreadPoolExecutor(8, thread_name_prefix="otel-kit-http")
        routes = [
            Route(signal.path, partial(self._receive, signal), methods=["POST"])
            for signal in SIGNALS
        ]
        self.app = Starlette(routes=routes)

    def close(self) -> None:
        """Wait for requests in progress."""
        self._workers.shutdown()

    async def _receive(self, signal: Signal, request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if content_type not in (_PROTOBUF, _JSON):
                raise UnsupportedMedia(f"content type must be {_PROTOBUF} or {_JSON}")
            body = await _read(request, self._max_body)
            encoding = request.headers.get("content-encoding", "")
            is_json = content_type == _JSON
            work = partial(self._intake.accept, signal, body, encoding, is_json)
            answer = await asyncio.get_running_loop().run_in_executor(self._workers, work)
            return _reply(answer, 200, content_type)
        except Refused as refusal:
            return _refuse(refusal, content_type)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # a bug of ours: not to be sent again
            _log.exception("a request to %s could not be handled", signal.path)
            return _reply(Status(code=13, message="internal error"), 500, content_type)


async def _read(request: Request, limit: int) -> bytes:
    """The body, up to `limit` bytes; the announced length is not waited for."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"the body is over {limit} bytes")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body is over {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse(refusal: Refused, content_type: str) -> Response:
    status, code = _CODES.get(type(refusal), (500, 13))
    response = _reply(Status(code=code, message=str(refusal)), status, content_type)
    if status == 503:
        response.headers["retry-after"] = _RETRY_AFTER_S
    return response


def _reply(message: Message, status: int, content_type: str) -> Response:
    """In the request's content type; JSON for one we do not know."""
    if content_type == _PROTOBUF:
        return Response(message.SerializeToString(), status, media_type=_PROTOBUF)
    return Response(json_format.MessageToJson(message, indent=None), status, media_type=_JSON)
