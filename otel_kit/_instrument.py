"""`instrument()`: settings, then providers, then the core and the integrations, as one `Kit`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import RLock
from typing import TYPE_CHECKING, Any

from otel_kit._locks import ForkSafeLock
from otel_kit.exceptions import OtelKitError
from otel_kit.settings import Settings

if TYPE_CHECKING:
    from otel_kit._providers import Providers

_log = logging.getLogger("otel_kit")
_lock = ForkSafeLock(RLock)
_current: Kit | None = None


class Kit:
    """What `instrument()` set up, one a process.  Does nothing where telemetry is disabled."""

    def __init__(
        self,
        arguments: dict[str, Any] | None = None,
        providers: Providers | None = None,
        undo: Callable[[], None] = lambda: None,
    ) -> None:
        self._arguments, self._providers, self._undo = arguments or {}, providers, undo
        self._provisional = False

    def flush(self, timeout: float = 3.0) -> bool:
        """Deliver everything recorded so far.

        True if all of it arrived at the collector within `timeout` seconds.  What did not arrive is
        held back for another attempt.
        """
        return self._providers is None or self._providers.flush(timeout)

    def shutdown(self, timeout: float = 3.0) -> bool:
        """Flush, put every library back as it was, and unset the providers that the kit made.

        True if everything arrived within `timeout` seconds; the rest is lost and counted.
        Afterwards `instrument()` may be called again.  A second call does nothing.
        """
        with _lock:
            _forget(self)
            try:
                self._undo()
            except Exception as error:  # the application must not notice
                _log.warning("otel_kit could not put everything back: %r", error)
            self._undo = lambda: None
        return self._providers is None or self._providers.shutdown(timeout)

    def lost(self) -> dict[tuple[str, str], int]:
        """Items of telemetry this process has lost, by (signal, reason), as in the metric.

        Signals: traces, metrics, logs.  Reasons: queue_full, export_failed, rejected, shutdown.
        """
        return self._providers.lost() if self._providers else {}


def instrument(
    service: str | None = None,
    *,
    prefer: str | None = None,
    integrations: Iterable[str] | None = None,
    edge: bool = False,
    **settings: Any,
) -> Kit:
    """Instrument this process; the same `Kit` is returned when it is called again.

    `service` names the service, unless ``OTEL_SERVICE_NAME`` does.  `prefer` is ``kit`` or
    ``contrib``, `integrations` the only libraries to instrument; `edge` says that this is an entry
    point, where requests without context are expected, and are not counted as lost.  `settings` are
    fields of `otel_kit.settings.Settings`.  The environment rules over all of them.  Raises
    `OtelKitError` for what the reader can mend (a wrong setting, a package that is missing); an
    error of the kit's own is logged, and the Kit does nothing.
    """
    given = {
        "service": service,
        "prefer": prefer,
        "integrations": integrations,
        "edge": edge or None,
    }
    arguments = {name: value for name, value in (given | settings).items() if value is not None}
    with _lock:
        if _current is not None and not _superseded(_current, arguments):
            return _current
        return _remember(_started(arguments))


def autostart(service: str | None) -> Kit:
    """For ``otel-kit run``: `instrument()` in the program itself may still name the service."""
    with _lock:
        kit = instrument(service)
        kit._provisional = True
        return kit


def _superseded(kit: Kit, arguments: dict[str, Any]) -> bool:
    """Whether the program's own arguments take the place of a kit that was started for it."""
    if not arguments or arguments == kit._arguments:
        return False
    if kit._provisional:
        kit.shutdown()
        return True
    _log.warning(
        "instrument() was called before with %s: %s is ignored.", kit._arguments, arguments
    )
    return False


def _started(arguments: dict[str, Any]) -> Kit:
    settings = Settings.from_environment(**arguments)
    if settings.disabled:
        return Kit(arguments)
    try:
        return _wired(settings, arguments)
    except OtelKitError:
        raise
    except Exception as error:
        if settings.strict:
            raise
        _log.warning("otel_kit could not start; there is no telemetry", exc_info=error)
        return Kit(arguments)


def _wired(settings: Settings, arguments: dict[str, Any]) -> Kit:
    # Imported here: `import otel_kit` stays quick, and costs nothing where telemetry is disabled.
    from otel_kit import _providers
    from otel_kit._wiring import wire

    providers = _providers.create(settings)
    try:
        undo = wire(
            settings,
            tracer_provider=providers.tracer_provider,
            meter_provider=providers.meter_provider,
            logger_provider=providers.logger_provider,
            watch=providers.watch,
        )
    except BaseException:
        providers.shutdown(0)
        raise
    return Kit(arguments, providers, undo)


def _remember(kit: Kit) -> Kit:
    global _current
    _current = kit
    return kit


def _forget(kit: Kit) -> None:
    global _current
    if _current is kit:
        _current = None
