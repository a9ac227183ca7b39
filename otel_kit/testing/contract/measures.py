"""Durations under whichever name the subject records them, so that the comparison is fair."""

from typing import Any

from otel_kit import names
from otel_kit.testing import Point, Telemetry
from otel_kit.testing.contract.base import ClientHarness, ServerHarness

_CONVENTIONAL = {
    ("http", "client"): ("http.client.request.duration", "http.client.duration"),
    ("http", "server"): ("http.server.request.duration", "http.server.duration"),
    ("grpc", "client"): ("rpc.client.call.duration", "rpc.client.duration"),
    ("grpc", "server"): ("rpc.server.call.duration", "rpc.server.duration"),
}
_OF_MESSAGES = {
    "producer": ("messaging.client.operation.duration", "messaging.publish.duration"),
    "consumer": ("messaging.process.duration", "messaging.receive.duration"),
}


class Handshake(str):
    """A transport whose hop opens a connection: no request of the conventions, only ours."""

    __slots__ = ()


def durations(telemetry: Telemetry, transport: str, side: str) -> list[Point]:
    """The series of the semantic conventions' duration metric, by its newest or its old name."""
    found = [
        telemetry.points(name)
        for name in _CONVENTIONAL.get((transport, side)) or _OF_MESSAGES[side]
    ]
    if not isinstance(transport, Handshake):
        return next(filter(None, found), [])
    assert not any(found)
    ours = telemetry.points(names.HOP_DURATION)
    return [p for p in ours if (p.labels["transport"], p.labels["side"]) == (transport, side)]


def edge(telemetry: Telemetry, transport: str, side: str, **labels: Any) -> int:
    """How many hops with these labels the kit's own histogram counted."""
    return telemetry.count(names.HOP_DURATION, transport=transport, side=side, **labels)


def served(telemetry: Telemetry, harness: type[ServerHarness], **labels: Any) -> int:
    """How many server-side hops with these labels were counted."""
    return edge(telemetry, harness.transport, "server", server="tested", **labels)


def called(telemetry: Telemetry, harness: type[ClientHarness], **labels: Any) -> int:
    """How many client-side hops with these labels were counted."""
    return edge(telemetry, harness.transport, "client", client="tested", **labels)


def consumed(telemetry: Telemetry, **labels: Any) -> int:
    """How many messages were counted on the consumer's side, of whatever transport."""
    return telemetry.count(names.HOP_DURATION, side="consumer", **labels)


def error_type(points: list[Point]) -> object:
    """What a failed hop's duration says of its failure, by any of the conventions' labels."""
    labels = points[0].labels if points else {}
    keys = (
        "error.type",
        "http.response.status_code",
        "http.status_code",
        "rpc.response.status_code",
        names.ERROR_CLASS,
    )
    return next((labels[key] for key in keys if key in labels), None)
