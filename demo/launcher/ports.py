"""The ports the demo listens on."""

import contextlib
import socket
from collections.abc import Mapping, Sequence

from demo import config
from demo.launcher.exceptions import InvalidUse


def choose(given: Sequence[str], *, automatic: bool) -> dict[str, int]:
    """Return a port for every name: as given, else free (``automatic``), else its default.

    Raises:
        InvalidUse: something given is not ``NAME=NUMBER`` with a known name.
    """
    chosen = _free_ports() if automatic else dict(config.PORTS)
    for text in given:
        name, _, number = text.partition("=")
        if name not in chosen or not number.isdecimal() or not 0 < int(number) < 65536:
            names = ", ".join(config.PORTS)
            raise InvalidUse(f"--port {text} is not NAME=NUMBER with a NAME of {names}")
        chosen[name] = int(number)
    return chosen


def check_free(ports: Mapping[str, int]) -> None:
    """Make sure that nobody else listens on these ports.

    Raises:
        InvalidUse: somebody does.
    """
    for name, port in ports.items():
        try:
            _listen(port).close()
        except OSError as error:
            raise InvalidUse(
                f"port {port} ({name}) is taken: stop what listens there,"
                f" or choose another with --port {name}=NUMBER or --ports auto"
            ) from error


def _free_ports() -> dict[str, int]:
    with contextlib.ExitStack() as stack:
        # All are held until all are known, so that no two are the same.
        sockets = {name: stack.enter_context(_listen(0)) for name in config.PORTS}
        return {name: sock.getsockname()[1] for name, sock in sockets.items()}


def _listen(port: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((config.HOST, port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock
