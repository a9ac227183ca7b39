"""What this environment tells a service: settings, and where telemetry goes."""

import re
from collections.abc import Iterator

from otel_kit._providers.probe import probe
from otel_kit.doctor.findings import Finding, fine, note, problem
from otel_kit.exceptions import InvalidSetting
from otel_kit.settings import SIGNALS, Settings

_SETTINGS, _EXPORTERS = "settings", "exporters"


def settings() -> Iterator[Finding]:
    """Whether a service would start with these variables."""
    try:
        found = Settings.from_environment()
    except InvalidSetting as error:
        yield problem(_SETTINGS, str(error).rstrip("."), "correct or unset it")
        return
    yield fine(_SETTINGS, "the settings are valid")
    if found.disabled:
        yield note(_SETTINGS, "OTEL_SDK_DISABLED=true switches telemetry off", "unset it")


def usable_settings() -> Settings | None:
    """The settings, None if a service would not start with them."""
    try:
        return Settings.from_environment()
    except InvalidSetting:
        return None


def exporters(settings: Settings) -> Iterator[Finding]:
    """Whether each signal's collector takes what is sent to it."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for signal, (target, outcome) in probe(settings).items():
        where = target.removesuffix(f"/v1/{signal}") or "their collector"
        said = "" if outcome.delivered else outcome.problem or "not delivered"
        alike.setdefault((where, settings.protocol(signal), said), []).append(signal)
    for (where, protocol, said), signals in alike.items():
        text = f"{', '.join(signals)} to {where} by {protocol}"
        if said:
            yield problem(_EXPORTERS, f"{text}: {said}", _advice(said, protocol))
        else:
            yield fine(_EXPORTERS, f"{text} are accepted")
    for signal in SIGNALS:
        if not getattr(settings, f"{signal}_exporter"):
            name = f"OTEL_{signal.upper()}_EXPORTER"
            yield note(_EXPORTERS, f"{signal} are sent nowhere", f"unset {name}=none to have them")
    yield from _fork(settings)


def _advice(said: str, protocol: str) -> str:
    words = set(re.findall(r"\w+", said))  # whole ones: a port may have 405 in it
    if words & {"401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED"}:
        return "check OTEL_EXPORTER_OTLP_HEADERS"
    if words & {"404", "405", "UNIMPLEMENTED"}:
        return "that is no OTLP receiver of this protocol: check endpoint and protocol"
    other = "http/protobuf (port 4318)" if protocol == "grpc" else "grpc (port 4317)"
    return (
        "start a collector there (otel-kit up), or correct OTEL_EXPORTER_OTLP_ENDPOINT, or set"
        f" OTEL_EXPORTER_OTLP_PROTOCOL if that port speaks {other}"
    )


def _fork(settings: Settings) -> Iterator[Finding]:
    by_grpc = [
        signal
        for signal in SIGNALS
        if "otlp" in getattr(settings, f"{signal}_exporter") and settings.protocol(signal) == "grpc"
    ]
    if not by_grpc or _survives_fork():
        return
    yield note(
        _EXPORTERS,
        f"forked children send no {', '.join(by_grpc)}: OTLP over gRPC would crash them",
        "if a service forks (a preloading server, multiprocessing), set GRPC_ENABLE_FORK_SUPPORT=1"
        " or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    )


def _survives_fork() -> bool:
    from otel_kit._providers.otlp_grpc import fork_support_enabled  # gRPC is a large import

    return fork_support_enabled()
