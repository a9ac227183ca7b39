"""Tracer, meter and logger providers: the only part of the kit that knows OpenTelemetry's SDK.

`create` joins the providers that the application has set, and makes and sets those it has not; if
the application sets its own later, ours give way.  What the kit made it shuts down; what it
joined it never touches but to add to it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final

from opentelemetry import _logs, metrics, trace

from otel_kit import names
from otel_kit._providers import api_globals, forking
from otel_kit._providers.attached import Watcher
from otel_kit._providers.building import Builder
from otel_kit._providers.exits import ExitHooks
from otel_kit._providers.pipeline import AnyPipeline
from otel_kit._providers.reports import logger, silence_exporters, unsilence_exporters
from otel_kit._providers.sampler import SagaSampler
from otel_kit.settings import Settings

_FIRST_SHARE: Final = 0.7
"""Of a deadline: spans and logs go first, so that what they lose is in the last metrics."""


def create(settings: Settings, *, record_unsampled: bool = True) -> Providers:
    """The providers of this process, set globally where the application has set none.

    `record_unsampled`: spans of other instrumentations reach span processors whatever the sampling.
    Raises `MissingExtra` and `InvalidSetting` for what the settings ask for and this machine lacks.
    """
    sampler = SagaSampler(
        settings.sampler, settings.sampler_ratio, record_unsampled=record_unsampled
    )
    return Providers(settings, sampler)


class Providers:
    """Three providers and the pipelines behind those that are ours."""

    def __init__(self, settings: Settings, sampler: SagaSampler) -> None:
        self._timeout = settings.shutdown_timeout
        self._pid = os.getpid()
        self._closed = threading.Event()
        self._shut = False
        self._closing = threading.Lock()
        self._attached: list[Watcher] = []
        self._builder = Builder(settings)
        self._join_or_make(sampler)
        for pipeline in self._builder.pipelines:
            pipeline.after_unseen_fork = self._after_unseen_fork
        self._builder.losses.publish(self.meter_provider.get_meter(names.SCOPE))
        silence_exporters()
        forking.register(self)
        self._exits = ExitHooks(lambda: self._flush_ours(self._timeout), self.close_at_exit)

    def _join_or_make(self, sampler: SagaSampler) -> None:
        found = (
            api_globals.application_meter_provider(),
            api_globals.application_tracer_provider(),
            api_globals.application_logger_provider(),
        )
        self._joined = [provider for provider in found if provider is not None]
        build = self._builder
        try:
            meters: metrics.MeterProvider = found[0] or build.meter_provider()
            tracers: trace.TracerProvider = found[1] or build.tracer_provider(sampler, meters)
            loggers: _logs.LoggerProvider = found[2] or build.logger_provider(meters)
        except BaseException:
            build.discard()
            raise
        self.meter_provider, self.tracer_provider, self.logger_provider = meters, tracers, loggers
        everything: list[Any] = [meters, tracers, loggers]
        self._made = [each for each in everything if each not in self._joined]
        self._set_global()

    def _set_global(self) -> None:
        ours = {
            "metrics": self.meter_provider,
            "traces": self.tracer_provider,
            "logs": self.logger_provider,
        }
        for signal, provider in ours.items():
            if provider in self._made:
                api_globals.lend(signal, provider, partial(self._displaced, signal, provider))

    def _displaced(self, signal: str, ours: Any, theirs: Any) -> None:
        """The application has set its own provider.  What ours has recorded is still delivered."""
        if self._shut:
            return
        logger.info("The application has set a provider for %s of its own: joining it.", signal)
        try:
            ours.give_way()
            self._joined.append(theirs)
            if signal == "traces":
                self.tracer_provider = theirs
                for watcher in self._attached:
                    self._attach(watcher)
            elif signal == "metrics":
                self.meter_provider = theirs
                self._builder.retire_metrics()
            else:
                self.logger_provider = theirs
        except Exception as error:  # setting a provider must not fail for our sake
            logger.warning("The kit could not join the provider for %s: %r", signal, error)

    def lost(self) -> dict[tuple[str, str], int]:
        """What was lost in this process, by signal and reason; see `losses`."""
        return self._builder.losses.counts()

    @property
    def prometheus_port(self) -> int | None:
        """The port that ``/metrics`` is on, if there is one."""
        return next((endpoint.port for endpoint in self._builder.endpoints), None)

    def watch(self, on_start: Callable[..., object], on_end: Callable[..., object]) -> None:
        """Add a span processor of two functions, until `shutdown`.

        `on_start` is given the span and its parent context, `on_end` the ended span.
        """
        self._attached.append(Watcher(on_start, on_end))
        self._attach(self._attached[-1])

    def _attach(self, watcher: Watcher) -> None:
        if not watcher.attach(self.tracer_provider):
            kind = type(self.tracer_provider).__name__
            logger.warning("%s takes no span processors: its spans are not measured.", kind)

    # -- flush and shutdown -----------------------------------------------------------------

    def flush(self, timeout: float) -> bool:
        """Deliver everything handed in so far.  True if it all arrived within `timeout` seconds."""
        deadline = monotonic() + timeout
        others = [_Aside(_flusher(each, timeout)) for each in self._joined]
        ours = self._flush_ours(timeout)
        return all([ours, *(other.wait(deadline) for other in others)])

    def shutdown(self, timeout: float) -> bool:
        """Flush, stop what is ours, and unset it.  True if all arrived; True when called again."""
        if self._shut:
            return True
        self._shut = True
        deadline = monotonic() + timeout
        delivered = self._close(timeout)
        self._exits.remove()
        unsilence_exporters()
        api_globals.withdraw(*self._made)
        for each in self._attached:
            each.detach()
        for endpoint in self._builder.endpoints:
            endpoint.close()
        # The SDK's own shutdown has no bound: processors of the application may hang on ours.
        stops = [_Aside(each.shutdown) for each in self._made]
        self._made = []
        for stop in stops:
            stop.wait(deadline)
        return delivered

    def close_at_exit(self) -> None:
        """Flush and stop at the end of the process, where no more threads can be started."""
        self._close(self._timeout)

    def _close(self, timeout: float) -> bool:
        with self._closing:
            if self._closed.is_set():
                return True
            delivered = self._flush_ours(timeout, after=lambda pipeline: pipeline.close())
            self._closed.set()
            return delivered

    def _flush_ours(
        self, timeout: float, after: Callable[[AnyPipeline], object] = lambda _: None
    ) -> bool:
        """Spans and logs together, then metrics, within one deadline; no lock, no thread."""
        start = monotonic()
        delivered = True
        for metrics_turn, share in ((False, _FIRST_SHARE), (True, 1.0)):
            turn = [
                each
                for each in self._builder.pipelines
                if (each.signal == "metrics") is metrics_turn
            ]
            flushes = [each.flush(start + share * timeout) for each in turn]
            arrived = [flush.wait() for flush in flushes]
            delivered = delivered and all(arrived)
            for each in turn:
                after(each)
        return delivered

    # -- fork -------------------------------------------------------------------------------

    def revive(self) -> None:
        """In a forked child: count from zero, with threads and connections of our own."""
        if self._pid == os.getpid() or self._closed.is_set():
            return
        self._pid = os.getpid()
        self._closing = threading.Lock()
        self._builder.losses.reset()
        for provider in self._made:
            forking.forget_metrics(provider)
        for spans in self._builder.span_pipelines:
            spans.forget_parent()
        for endpoint in self._builder.endpoints:
            endpoint.revive()
        for pipeline in self._builder.pipelines:
            pipeline.revive()

    def _after_unseen_fork(self) -> None:
        """A fork made in C runs no hooks; a pipeline has noticed the process id.

        Without the hooks a second thread may hang the interpreter: better no telemetry than that.
        """
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._builder.losses.reset()
            for pipeline in self._builder.pipelines:
                pipeline.strand()
            forking.warn_of_unseen_fork()


class _Aside:
    """A call in a thread of its own, so that it can be left behind at the deadline."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._result = False
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is ending and starts no more threads
            logger.debug("A provider is left to its own atexit function.")

    def _run(self, call: Callable[[], object]) -> None:
        try:
            self._result = call() is not False
        except Exception as error:  # an error of the application's own provider
            logger.debug("A provider could not be flushed or shut down: %r", error)

    def wait(self, deadline: float) -> bool:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - monotonic()))
        return self._result


def _flusher(provider: Any, timeout: float) -> Callable[[], object]:
    flush = getattr(provider, "force_flush", None)
    return (lambda: flush(int(timeout * 1000))) if flush else lambda: True
