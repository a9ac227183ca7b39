"""A listening socket as servers make it themselves."""

import socket


def loopback() -> socket.socket:
    """On a free port.

    With its protocol named: only then asyncio sets TCP_NODELAY on what it accepts, without which
    each answer on a kept connection waits 40 ms for an acknowledgement.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # before anybody is told the port
    return listening
