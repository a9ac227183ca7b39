"""A gRPC call that a handler answers: its hop, its status, its reply, the same for sync and aio."""

import asyncio
from types import TracebackType
from typing import Any

import grpc
import wrapt
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, serve
from otel_kit.integrations._grpc_client import STATUS_NAMES
from otel_kit.integrations._shape import Integration

_NEAR = 0.1
"""Seconds.  A caller whose deadline passes hangs up a little before the deadline passes here."""
_HUNG_UP = (asyncio.CancelledError, cygrpc.ExecuteBatchError)
"""What gRPC raises within a handler whose caller has gone."""


class Answering:
    """A call under way.  Its span is current in a `with` block; there may be several."""

    def __init__(self, side: Integration, hop: Hop, context: Any) -> None:
        self._side = side
        self._context = context
        self._hop = _begin(hop)

    def __enter__(self) -> None:
        self._hop.resume()

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._hop.pause()
        if error is not None:
            self.conclude(error)

    def conclude(self, error: BaseException | None = None) -> None:
        """The handler has returned, raised, or was left by its caller (GeneratorExit)."""
        self._side._guarded(_conclude, self._hop, self._context, error)
        self._hop.end()


def _begin(hop: Hop) -> ActiveHop:
    """A hop that is not current yet.

    A task of an aio server has a copy of the context in which the server was started: what was
    current there is not the parent of a call.
    """
    return serve(hop).aside().begin(set_span_in_context(INVALID_SPAN))


def _conclude(hop: ActiveHop, context: Any, error: BaseException | None) -> None:
    details = context.details()
    hop.status(_status(context, error), details.decode() if isinstance(details, bytes) else details)
    if (reply := hop.reply()) is not None and not isinstance(error, grpc.aio.AbortError):
        given = context.trailing_metadata() or ()
        context.set_trailing_metadata((*given, (names.SERVER_TIMING, reply)))
    hop.end(None if error is None or _of_grpc(context, error) else error)


def _status(context: Any, error: BaseException | None) -> str:
    """The status that the caller gets, or got by itself."""
    if _hung_up(context, error):
        remaining = context.time_remaining()
        late = remaining is not None and remaining < _NEAR
        return "DEADLINE_EXCEEDED" if late else "CANCELLED"
    if isinstance(error, GeneratorExit):  # what the handler yielded could not be sent
        return "INTERNAL"
    code = context.code()
    name = "OK" if code is None else STATUS_NAMES.get(code, "UNKNOWN")
    return "UNKNOWN" if error is not None and name == "OK" else name


def _hung_up(context: Any, error: BaseException | None) -> bool:
    if isinstance(error, _HUNG_UP):
        return True
    if (state := getattr(context, "_state", None)) is not None:
        return bool(state.client == "cancelled")
    return isinstance(error, GeneratorExit) and not context.done()


def _of_grpc(context: Any, error: BaseException) -> bool:
    """Whether gRPC raised it, to get out of the handler: an abort, a caller that has gone."""
    if isinstance(error, (*_HUNG_UP, GeneratorExit, grpc.aio.AbortError)):
        return True
    state = getattr(context, "_state", None)
    return state is not None and (state.aborted or error in state.rpc_errors)


class Remembering(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """The context of a synchronous handler on an aio server: what was set there cannot be read."""

    _self_code: Any = None
    _self_details: str | None = None
    _self_trailing: Any = ()

    def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> None:
        self._self_code, self._self_details = code, details
        self.__wrapped__.abort(code, details, trailing_metadata)

    def set_code(self, code: Any) -> None:
        self.__wrapped__.set_code(code)
        self._self_code = code

    def set_details(self, details: str) -> None:
        self.__wrapped__.set_details(details)
        self._self_details = details

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.__wrapped__.set_trailing_metadata(metadata)
        self._self_trailing = tuple(metadata)

    def code(self) -> Any:
        return self._self_code

    def details(self) -> str | None:
        return self._self_details

    def trailing_metadata(self) -> Any:
        return self._self_trailing

    def done(self) -> bool:
        return False
