"""Listening on a port, and saying what to do where that cannot be."""

import socket

from otel_kit.exceptions import OtelKitError


class PortTaken(OtelKitError):
    """Another program listens where we should."""


def listen(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens; raises `PortTaken`, which names the `option` that sets the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol asyncio does not set TCP_NODELAY, and each answer waits 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
    except (OSError, OverflowError) as error:
        sock.close()
        raise PortTaken(why_not(host, port, option, error)) from error
    return sock


def why_not(host: str, port: int, option: str, error: Exception) -> str:
    """What to tell the user when `host` and `port` cannot be listened on."""
    if isinstance(error, OSError) and "in use" in str(error):
        return f"port {port} is taken by another program; choose another with {option}"
    return f"{host} port {port} cannot be listened on ({error}); choose another --host or {option}"


def address(host: str, port: int) -> str:
    """``host:port`` as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
