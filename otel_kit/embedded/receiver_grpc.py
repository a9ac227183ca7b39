"""OTLP over gRPC: the Export method of the traces, metrics and logs services.

Handlers get raw bytes, so that decoding is the same as over HTTP.  grpc itself refuses a message
over the limit (RESOURCE_EXHAUSTED), also while decompressing.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from otel_kit.embedded.intake import SIGNALS, Intake, Signal
from otel_kit.embedded.problems import Malformed, Refused, TooLarge, Unavailable

_log = logging.getLogger(__name__)

_WORKERS: Final = 16
_CONCURRENT: Final = 64
_CODES: Final[dict[type[Refused], grpc.StatusCode]] = {
    Malformed: grpc.StatusCode.INVALID_ARGUMENT,
    TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}


class GrpcReceiver:
    """A gRPC server; listens from construction on, serves from `start` on."""

    def __init__(self, intake: Intake, address: str, max_body: int) -> None:
        """Raises RuntimeError when `address` ("host:port") cannot be bound."""
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="otel-kit-grpc")
        options = [("grpc.max_receive_message_length", max_body), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(
            self._workers, options=options, maximum_concurrent_rpcs=_CONCURRENT
        )
        self._server.add_generic_rpc_handlers(tuple(_service(s, intake) for s in SIGNALS))
        self.port: int = self._server.add_insecure_port(address)

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def close(self, grace: float) -> None:
        """Finish requests in progress for at most `grace` seconds, then end."""
        self._server.stop(grace).wait()
        self._workers.shutdown(wait=True)


def _service(signal: Signal, intake: Intake) -> grpc.GenericRpcHandler:
    method: Any = grpc.unary_unary_rpc_method_handler(_export(signal, intake))
    return grpc.method_handlers_generic_handler(signal.service, {"Export": method})


def _export(signal: Signal, intake: Intake) -> Callable[[bytes, Any], bytes]:
    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return intake.accept(signal, body).SerializeToString()
        except Refused as refusal:
            code = _CODES.get(type(refusal), grpc.StatusCode.INTERNAL)
            context.abort(code, str(refusal))
        except Exception:  # a bug of ours: not to be sent again
            _log.exception("a request to %s could not be handled", signal.service)
            context.abort(grpc.StatusCode.INTERNAL, "internal error")
        raise AssertionError("abort always raises")

    return export
