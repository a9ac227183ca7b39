"""OTLP over gRPC: one attempt for each export, and the collector's verdict on it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

import grpc

from otel_kit._providers.delivery import Outcome
from otel_kit._providers.otlp_encoding import SpanEncoder
from otel_kit._providers.verdicts import Observed, Verdict

_COMPRESSION: Final = "OTEL_EXPORTER_OTLP_COMPRESSION"
_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Status codes after which OTLP lets a client try again."""


def fork_support_enabled() -> bool:
    """Without GRPC_ENABLE_FORK_SUPPORT=1 a forked child that makes a channel crashes.

    The variable changes the application's own gRPC too, so setting it is not for us.
    """
    cygrpc = import_module("grpc._cython.cygrpc")
    enabled = getattr(cygrpc, "is_fork_support_enabled", lambda: False)
    return bool(enabled())


class _Stub:
    """The exporter's client, with an eye on the answers."""

    def __init__(self, client: Any, observed: Observed) -> None:
        self._client, self._observed = client, observed

    def Export(self, **kwargs: Any) -> Any:  # noqa: N802 - gRPC's name
        """One call."""
        try:
            answer = self._client.Export(**kwargs)
        except grpc.RpcError as error:
            self._observed.outcome = _refusal(error)
            raise
        self._observed.accepted(answer)
        return answer


class _BytesChannel:
    """A channel for requests that are encoded already."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def unary_unary(self, method: str, **parts: Any) -> Any:
        """As of the channel."""
        return self._channel.unary_unary(method, **{**parts, "request_serializer": None})


def encoding_directly(exporter: Any) -> Any:
    """A subclass that encodes spans by the kit; the class itself if it is not as is known here."""
    if not hasattr(exporter, "_translate_data"):
        return exporter
    encoder = SpanEncoder()

    class Direct(exporter):  # type: ignore[misc]
        def _initialize_channel_and_stub(self) -> None:
            super()._initialize_channel_and_stub()
            self._direct = self.__dict__.keys() >= {"_stub", "_channel", "_client"}
            if self._direct:
                self._client = self._stub(_BytesChannel(self._channel))

        def _translate_data(self, data: Any) -> Any:
            return encoder.encode(data) if self._direct else super()._translate_data(data)

    return Direct


def _refusal(error: Any) -> Outcome:
    code = error.code()
    problem = f"gRPC {code.name}: {error.details()}"[:200]
    return Outcome(False, again=code in _RETRYABLE, problem=problem)


def _compression(signal: str) -> grpc.Compression:
    """What the environment says.  The exporter itself does not know the word ``none``."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_COMPRESSION", _COMPRESSION):
        if said := os.environ.get(name, "").strip().lower():
            return grpc.Compression.Gzip if said == "gzip" else grpc.Compression.NoCompression
    return grpc.Compression.NoCompression


def grpc_exporter(signal: str, exporter: Any, answer: Any) -> tuple[Any, Verdict]:
    """An exporter of this class, for one signal, and how to learn what came of each export.

    The exporter calls ``_initialize_channel_and_stub`` at the start and when it connects anew.
    """
    observed = Observed(answer)
    base: Any = encoding_directly(exporter) if signal == "traces" else exporter

    class Observing(base):  # type: ignore[misc]
        survives_fork = fork_support_enabled()

        def _initialize_channel_and_stub(self) -> None:
            super()._initialize_channel_and_stub()
            client: Any = self.__dict__["_client"]
            self._client = _Stub(client, observed)

    # The pipeline tries again, within its deadlines: no code is one the exporter retries on.
    made = Observing(compression=_compression(signal), retryable_error_codes=[grpc.StatusCode.OK])
    return made, observed.take
