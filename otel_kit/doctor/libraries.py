"""Which libraries of this environment make hops, which are too old or new, which escape."""

import importlib.util
import re
import warnings
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from otel_kit.doctor.findings import Finding, fine, note, problem
from otel_kit.exceptions import InvalidSetting
from otel_kit.integrations import PACKAGES, catalogue, installed, load, refuse_unknown
from otel_kit.integrations._shape import Integration
from otel_kit.settings import Settings

_CHECK = "libraries"
_CLAUSE: Final = re.compile(r"\s*(>=|<)\s*([0-9.]+)\s*")
_UNSEEN: Final = ("grpclib",)
"""Distributions that cross services, and that no integration knows."""


def libraries(settings: Settings) -> Iterator[Finding]:
    """Each library of the catalogue that is installed, and those that the kit cannot see."""
    try:
        refuse_unknown((*settings.integrations, *settings.disabled_integrations))
    except InvalidSetting as error:
        yield problem(_CHECK, str(error), "correct OTEL_KIT_[DISABLED_]INTEGRATIONS")
    for name in catalogue():
        if installed(name):
            yield _library(name, settings)
        elif name in settings.integrations:
            advice = f"pip install {PACKAGES.get(name, name)}"
            yield problem(_CHECK, f"{name} is asked for and not installed", advice)
    unseen = [name for name in _UNSEEN if _version(name)]
    if unseen:
        advice = "if a service uses one, make its hops by otel_kit.call, serve, send and process"
        yield note(_CHECK, f"installed, and not seen by the kit: {', '.join(unseen)}", advice)


def _library(name: str, settings: Settings) -> Finding:
    if name in settings.disabled_integrations or name not in (settings.integrations or catalogue()):
        advice = "its hops are not recorded; see OTEL_KIT_INTEGRATIONS"
        return note(_CHECK, f"{name} is switched off", advice)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at the library's import; not ours to mend
            integration = load(name)
    except Exception as error:
        text = f"{name} cannot be imported ({type(error).__name__}: {error})"
        return problem(_CHECK, text[:300], "reinstall it")
    version = _version(_distribution(integration.supports))
    if not _supported(version, integration.supports):
        text = f"{name} {version} is outside {integration.supports}"
        return problem(_CHECK, text, "install a version within, or expect lost hops")
    return _whose(name, version, integration, settings)


def _whose(name: str, version: str, integration: Integration, settings: Settings) -> Finding:
    """Whose instrumentation would make the spans."""
    contrib = sorted({reference.partition(":")[0] for reference in integration.contrib})
    installed = [module for module in contrib if _exists(module)]
    label = f"{name} {version}"
    if settings.prefer == "contrib":
        if integration.is_native() or installed:
            return fine(_CHECK, f"{label} is instrumented by OpenTelemetry's own; bridged")
        package = contrib[0].replace(".", "-").replace("_", "-") if contrib else "its package"
        text = f"{label} is instrumented by the kit, though contrib is preferred"
        return note(_CHECK, text, f"pip install {package}")
    aside = "; OpenTelemetry's own is installed, and rules if activated" if installed else ""
    return fine(_CHECK, f"{label} is instrumented{aside}")


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _version(distribution: str) -> str:
    """Empty if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _distribution(supports: str) -> str:
    return re.split(r"[<>=]", supports)[0].strip()


def _supported(version: str, supports: str) -> bool:
    """Whether a version is within clauses such as `>=0.25,<1`; one that is no release is."""
    own = _numbers(version)
    clauses = _CLAUSE.findall(supports)
    return not own or all(
        own >= _numbers(bound) if relation == ">=" else own < _numbers(bound)
        for relation, bound in clauses
    )


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
