"""What aiohttp's client and server have in common."""

from dataclasses import replace

from otel_kit.hops import Hop
from otel_kit.hops.http import CONNECTION

SUPPORTS = "aiohttp>=3.9,<4"


def upgraded(hop: Hop, upgrade: str) -> Hop:
    """The hop of a request with that `Upgrade` header; a WebSocket's handshake is told by it."""
    return replace(hop, convention=CONNECTION) if upgrade.lower() == "websocket" else hop
