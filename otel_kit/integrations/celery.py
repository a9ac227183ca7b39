"""
Celery: a task that is sent, and its run in a worker of any pool.

A send is `apply_async`, `delay`, `send_task`, a retry, the next of a chain: all that
`Celery.send_task` publishes, until the client has written it (with RabbitMQ's publisher confirms,
until it is confirmed).  Its context is among the message's headers.  A run is from the signal
`task_prerun` to `task_postrun`: the task's code, its callbacks and the sending of the next of its
chain.  Hops are named after the task; the destination is the queue (`{exchange}:{routing key}`
where the exchange is not direct).

A run that is to be retried ends with the error that it is retried for; one that raises what its
task expects (`throws`), or ignores its message, ends without.  A dwell begins when the task was
due (`eta`, `countdown`).  A task that is run eagerly crosses nothing: it makes no hop.  Of a worker
process that is killed (by a hard time limit, say) the hop is lost.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from celery import signals, states
from celery.app.task import Context
from kombu.exceptions import EncodeError
from kombu.exceptions import OperationalError as KombuError

from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop, current, incoming, outgoing, send
from otel_kit.hops.loops import Taken
from otel_kit.integrations._celery import SYSTEM, broker, destination, workers
from otel_kit.integrations._shape import Integration, Undo

integration = Integration(
    "celery",
    supports="celery>=5.3,<6",
    contrib=("opentelemetry.instrumentation.celery:CeleryInstrumentor",),
    errors={
        KombuError: ErrorClass.CONNECTION,
        EncodeError: ErrorClass.SERIALIZATION,
        SoftTimeLimitExceeded: ErrorClass.TIMEOUT,
        TimeLimitExceeded: ErrorClass.TIMEOUT,
    },
)


@integration.connects
def connect() -> Undo:
    for signal, handler in _HANDLERS.items():
        signal.connect(handler, weak=False)
    return disconnect


def disconnect() -> None:
    for signal, handler in _HANDLERS.items():
        # What runs still has to leave its hop, in its own thread.
        if handler is not ends or not _running:
            signal.disconnect(handler)


# -- sending --------------------------------------------------------------------------------------


class _Sending:
    """A call of `send_task`, which publishes later, if it gets so far."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.hop: ActiveHop | None = None


_sending: ContextVar[_Sending | None] = ContextVar("otel_kit_celery_sending", default=None)


@integration.wraps("celery.app.base:Celery.send_task")
def send_task(wrapped: Any, app: Any, args: Any, kwargs: Any) -> Any:
    with _published(app):
        return wrapped(*args, **kwargs)


@contextmanager
def _published(app: Any) -> Iterator[None]:
    sending = _Sending(app)
    token = _sending.set(sending)
    error = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        _sending.reset(token)
        if sending.hop is not None:
            sending.hop.leave()
            sending.hop.end(error)


def publishes(
    sender: Any, headers: Any = None, exchange: Any = None, routing_key: Any = None, **_: Any
) -> None:
    sending = _sending.get()
    if sending is not None and sending.hop is None and isinstance(headers, dict):
        integration._guarded(_begin, sending, str(sender), headers, exchange, routing_key)


def _begin(sending: _Sending, task: str, headers: Any, exchange: Any, routing_key: Any) -> None:
    to = destination(exchange, routing_key)
    hop = outgoing(SYSTEM, to, carrier=headers, broker=broker(sending.app))
    sending.hop = send(replace(hop, operation=f"send {task}"))
    sending.hop.__enter__()


# -- running --------------------------------------------------------------------------------------

_running: dict[int, Taken] = {}
"""By the identity of the task's request, which lives as long as the run."""


def begins(task: Any, **_: Any) -> None:
    if not integration.idle() and not task.request.is_eager:
        integration._guarded(_run, task, task.request)


def ends(task: Any, retval: Any = None, state: Any = None, **_: Any) -> None:
    request = task.request
    if (taken := _running.pop(id(request), None)) is not None:
        error = _error(task, retval, state)
        integration._guarded(integration.loops.returned, request, taken, error)


def _run(task: Any, request: Any) -> None:
    taken = integration.loops.handed_out(request, _hop(task.name, request))
    if taken is not None:
        _running[id(request)] = taken


def _error(task: Any, retval: Any, state: Any) -> BaseException | None:
    """What a run has failed of; a state that is none of Celery's own is an exit on its way."""
    if state is None:
        return sys.exception()
    if state == states.RETRY:
        return getattr(retval, "exc", None)
    failed = state in (states.FAILURE, states.REJECTED) and isinstance(retval, BaseException)
    return retval if failed and not isinstance(retval, tuple(task.throws or ())) else None


@integration.describes(Context)
def received(request: Any) -> Hop:
    return _hop(str(getattr(request, "task", "")), request)


def _hop(task: str, request: Any) -> Hop:
    info = request.delivery_info or {}
    hop = incoming(
        SYSTEM,
        destination(info.get("exchange"), info.get("routing_key")),
        carrier=_headers(request),
        message_id=request.id,
        delivery=request,
    )
    return replace(hop, operation=f"process {task}", due_at=_time(request.eta, request.utc))


def _headers(request: Any) -> dict[str, str]:
    """The headers of the message; those that Celery does not know are the request's attributes."""
    runtime = current()
    known = vars(request)
    own = {name: known.get(name) for name in (runtime.propagator.fields if runtime else ())}
    found = {**(request.headers or {}), **{k: v for k, v in own.items() if v is not None}}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _time(eta: Any, utc: Any) -> float | None:
    """Seconds since the epoch."""
    if not eta:
        return None
    at = eta if isinstance(eta, datetime) else datetime.fromisoformat(eta)
    return (at.replace(tzinfo=UTC) if at.tzinfo is None and utc else at).timestamp()


# -- depth of its queues --------------------------------------------------------------------------


def ready(sender: Any, **_: Any) -> None:
    integration._guarded(workers.of, sender)


def stops(**_: Any) -> None:
    workers.clear()


_HANDLERS: Final[dict[Any, Callable[..., None]]] = {
    signals.before_task_publish: publishes,
    signals.task_prerun: begins,
    signals.task_postrun: ends,
    signals.worker_ready: ready,
    signals.worker_shutting_down: stops,
}
