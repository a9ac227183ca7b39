"""After a fork the child exports its own telemetry, not its parent's again.

Threads do not survive a fork, locks may be held for ever, and the SDK's metrics keep the parent's
counts.  So the child gets new threads, exporters and queues, and empty metric storages, into
which the instruments that exist already record.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage

from otel_kit._providers.measuring import MeasuringMeterProvider

_UNSEEN = (
    "otel_kit: this process was forked without Python's fork hooks, so threads are not safe in it "
    "and it sends no telemetry; with uWSGI set enable-threads and py-call-uwsgi-fork-hooks.\n"
)


class Forkable(Protocol):
    """What takes part in a fork."""

    def revive(self) -> None:
        """In the child: start anew."""
        ...

    def close_at_exit(self) -> None:
        """At the end of a child that runs no ``atexit`` functions."""
        ...

    def __hash__(self) -> int: ...


class _Forking:
    """Registered with the interpreter once; knows the living providers."""

    def __init__(self) -> None:
        self.living: WeakSet[Forkable] = WeakSet()
        self._registered = self._multiprocessing = self._celery = False

    def register(self, forkable: Forkable) -> None:
        self.living.add(forkable)
        if not self._registered and hasattr(os, "register_at_fork"):
            self._registered = True
            os.register_at_fork(before=self._before, after_in_child=self._in_child)

    def _before(self) -> None:
        """Children of multiprocessing and Celery end by ``os._exit``; each has a way to say so."""
        signals: Any = sys.modules.get("celery.signals")
        if signals is not None and not self._celery:
            self._celery = True
            signals.worker_process_shutdown.connect(self._in_celery, weak=False)
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None and not self._multiprocessing:
            self._multiprocessing = True
            util.register_after_fork(self, _Forking._in_multiprocessing_child)

    def _in_child(self) -> None:
        for forkable in list(self.living):
            forkable.revive()

    def _in_multiprocessing_child(self) -> None:
        from multiprocessing.util import Finalize

        # The lowest priority runs last: after the application's own finalizers.
        Finalize(None, self._close, exitpriority=-1000)

    def _in_celery(self, **_: object) -> None:
        self._close()

    def _close(self) -> None:
        for forkable in list(self.living):
            forkable.close_at_exit()


_forking = _Forking()
register: Callable[[Forkable], None] = _forking.register


def forget_metrics(provider: Any) -> None:
    """In a forked child: give a meter provider of ours empty storages and fresh locks.

    The SDK has no public way to do it.  Should a future version name its parts otherwise, the
    child's metrics begin with its parent's counts, as they do without us.
    """
    if isinstance(provider, MeasuringMeterProvider):
        provider.forget()
    consumer: Any = getattr(provider, "_measurement_consumer", None)
    if not hasattr(consumer, "_reader_storages") or not hasattr(provider, "_sdk_config"):
        return
    consumer._lock = Lock()
    consumer._reader_storages = {
        reader: MetricReaderStorage(
            provider._sdk_config,
            reader._instrument_class_temporality,
            reader._instrument_class_aggregation,
        )
        for reader in consumer._reader_storages
    }
    for meter in (*getattr(provider, "_meters", {}).values(), *getattr(provider, "lent", ())):
        for name in ("_instrument_registration_lock", "_instrument_ids_lock", "_lock"):
            if hasattr(meter, name):
                setattr(meter, name, Lock())


def warn_of_unseen_fork() -> None:
    """Written to the descriptor: in such a child the locks of logging and stderr may be held."""
    os.write(2, _UNSEEN.encode())
