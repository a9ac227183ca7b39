"""One small file per library.  CATALOGUE says which, and what import of the user's wakes it."""

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import wrapt
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from otel_kit.exceptions import InvalidSetting, UnsupportedLibrary
from otel_kit.integrations._others import load_other, others
from otel_kit.integrations._patch import Patch, applied
from otel_kit.integrations._shape import Call, Integration, Undo

__all__ = ["CATALOGUE", "PACKAGES", "Call", "Integration", "catalogue", "install", "load"]

CATALOGUE: Mapping[str, str] = {
    "aio-pika": "aio_pika",
    "aiobreaker": "aiobreaker",
    "aiobotocore": "aiobotocore.client",
    "aiohttp-client": "aiohttp",
    "aiohttp-server": "aiohttp.web",
    "aiokafka": "aiokafka",
    "boto3": "boto3.resources.action",
    "botocore": "botocore.client",
    "celery": "celery",
    "circuitbreaker": "circuitbreaker",
    "confluent-kafka": "confluent_kafka",
    "django": "django",
    "fastapi": "fastapi",
    "flask": "flask",
    "grpc": "grpc",
    "httpx": "httpx",
    "kafka-python": "kafka",
    "nats-py": "nats",
    "paho-mqtt": "paho.mqtt.client",
    "pika": "pika",
    "pulsar": "pulsar",
    "purgatory": "purgatory",
    "pybreaker": "pybreaker",
    "redis": "redis",
    "requests": "requests",
    "stamina": "stamina",
    "starlette": "starlette",
    "strawberry": "strawberry",
    "temporalio": "temporalio.contrib.opentelemetry",
    "strawberry-asgi": "strawberry.asgi",
    "tenacity": "tenacity",
    "websockets": "websockets",
    "urllib3": "urllib3",
}
"""Integration → the module whose import activates it.  A library that is not used costs nothing."""

PACKAGES: Mapping[str, str] = {
    "aiohttp-client": "aiohttp",
    "aiohttp-server": "aiohttp",
    "grpc": "grpcio",
    "pulsar": "pulsar-client",
    "strawberry": "strawberry-graphql",
    "strawberry-asgi": "strawberry-graphql",
}
"""What pip calls a library, where that is not the integration's name."""

_STABLE_NAMES = "OTEL_SEMCONV_STABILITY_OPT_IN"
"""OpenTelemetry's switch from the names of 2022 to the stable ones."""
_log = logging.getLogger("otel_kit")


class IntegrationSettings(Protocol):
    """What the integrations ask of the settings."""

    @property
    def prefer(self) -> str: ...
    @property
    def integrations(self) -> tuple[str, ...]: ...
    @property
    def disabled_integrations(self) -> tuple[str, ...]: ...


def catalogue() -> Mapping[str, str]:
    """CATALOGUE, and the integrations of others, which are named as what activates them."""
    return {**{name: name for name in others()}, **CATALOGUE}


def load(name: str) -> Integration:
    """The integration of that name.  Imports its library."""
    if name not in CATALOGUE:
        return load_other(name)
    path = f"otel_kit.integrations.{name.replace('-', '_')}"
    module = importlib.import_module(path)
    if not hasattr(module, "integration"):
        # It is being imported, and has just imported the library, which wakes it: whoever imports
        # it gets the one that is made now.
        del sys.modules[path]
        module = importlib.import_module(path)
    found = module.integration
    assert isinstance(found, Integration)
    return found


def installed(name: str) -> bool:
    """Whether the library is there; nothing is imported to find out."""
    package = catalogue()[name].partition(".")[0]
    return importlib.util.find_spec(package) is not None


def install(
    settings: IntegrationSettings,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Undo:
    """Activate the integrations: now for imported libraries, else as soon as one is imported.

    Raises InvalidSetting for a name that nobody knows, and UnsupportedLibrary for a library that
    was asked for by name and is not installed; libraries nobody named are left out in silence.
    """
    providers = {"tracer_provider": tracer_provider, "meter_provider": meter_provider}
    return _Installation(settings, providers).uninstall


class _Installation:
    def __init__(self, settings: IntegrationSettings, providers: Mapping[str, object]) -> None:
        self._providers = providers
        self._undo: list[Undo] = []
        self._live = True
        self._prefer = settings.prefer
        if self._prefer == "contrib":  # read once, when the first instrumentor is activated
            os.environ.setdefault(_STABLE_NAMES, "http,database")
        refuse_unknown((*settings.integrations, *settings.disabled_integrations))
        named, known = settings.integrations, catalogue()
        for name in named or known:
            if name in settings.disabled_integrations:
                continue
            if known[name] in sys.modules:
                self._activate(name, asked_for=bool(named))
            elif named and not installed(name):
                package = PACKAGES.get(name, name)
                raise UnsupportedLibrary(f"{name} is not installed: pip install {package}")
            else:
                wrapt.register_post_import_hook(self._waking(name), known[name])

    def _waking(self, name: str) -> Callable[[object], None]:
        def wake(module: object) -> None:
            if self._live:
                self._activate(name, asked_for=False)

        return wake

    def _activate(self, name: str, *, asked_for: bool) -> None:
        try:
            integration = load(name)
            if self._prefer == "contrib" and integration.is_native():
                return
            # Ours is installed in any case: it steps aside while theirs is active, and knows the
            # library's messages and exceptions.
            self._undo.append(integration.install())
            if self._prefer == "contrib":
                self._prefer_contrib(integration)
        except Exception as error:
            if asked_for:
                message = f"{name} cannot be instrumented: {error}"
                raise UnsupportedLibrary(message) from error
            _log.warning("otel_kit does not instrument %s", name, exc_info=True)

    def _prefer_contrib(self, integration: Integration) -> None:
        if integration.contrib_before is None:
            self._contrib(integration)
            return
        waiting = iter([integration])

        def around(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            for each in waiting:  # once
                each._guarded(self._contrib, each)
            return wrapped(*args, **kwargs)

        self._undo.append(applied(Patch(integration.contrib_before, around)))

    def _contrib(self, integration: Integration) -> None:
        for instrumentor in integration.instrumentors(load=True):
            if not instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.instrument(**self._providers)
                self._undo.append(partial(_uninstrument, instrumentor))

    def uninstall(self) -> None:
        """Put every library back as it was."""
        self._live = False
        while self._undo:
            self._undo.pop()()


def _uninstrument(instrumentor: Any) -> None:
    if instrumentor.is_instrumented_by_opentelemetry:  # the application may have done it already
        instrumentor.uninstrument()


def refuse_unknown(names: tuple[str, ...]) -> None:
    """Raises InvalidSetting for a name that is neither in CATALOGUE nor an entry point."""
    for name in names:
        if name not in catalogue():
            known = ", ".join(sorted(catalogue()))
            raise InvalidSetting(
                "OTEL_KIT_INTEGRATIONS or OTEL_KIT_DISABLED_INTEGRATIONS (or the argument): "
                f"{name!r} is none of {known}"
            )
