"""``otel-kit up``: the collector in the foreground until Ctrl-C or SIGTERM."""

import contextlib
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from otel_kit.embedded.server import Embedded

_GC_OBJECTS: Final = 50_000
"""More objects than before, at which Python looks for cycles: some ten batches; its own is 700."""
_SWITCH_S: Final = 0.0005
"""How long a thread may run while others wait; Python's own is ten times that."""
_APIS: Final = "/api/sagas /api/edges /api/queues /api/breakers /api/propagation"


def run(
    collector: Embedded,
    beside: Callable[[str], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> None:
    """Start, print where everything is, wait for SIGINT or SIGTERM, stop.

    What `beside` makes of the query URL lasts as long as the collector serves.
    """
    with _asked_to_stop() as stop, collector, _collecting_less(), _taking_turns():
        print(_greeting(collector), flush=True)  # noqa: T201  # the command's output
        with beside(collector.query_url):
            stop.wait()


@contextlib.contextmanager
def _collecting_less() -> Iterator[None]:
    """Spare Python's collector what it would go through in vain: a tenth of the CPU at full load.

    A batch is thousands of objects without cycles, all alive until it is written.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def _taking_turns() -> Iterator[None]:
    """Let whoever asks wait less for those who take in: a question is handed on ten times."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _greeting(collector: Embedded) -> str:
    kept = collector.config.data or "nowhere (--ephemeral)"
    return "\n".join(
        [
            f"OTLP gRPC  {collector.otlp_grpc_url}",
            f"OTLP HTTP  {collector.otlp_http_url}",
            f"query      {collector.query_url}  (Jaeger API at /api/traces)",
            f"           {_APIS}",
            f"metrics    {collector.query_url}/metrics",
            f"health     {collector.query_url}/healthz",
            f"data       {kept}",
            "Ctrl-C stops",
        ]
    )
