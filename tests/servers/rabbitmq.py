"""RabbitMQ, a node of its own: nothing of a node that the machine may run is touched."""

import os
import shlex
from collections.abc import Mapping, Sequence

from collector.stack.process import HOST, free_port
from tests.servers.base import Server


class RabbitMQ(Server):
    """Erlang's port mapper, without which no node starts, lives and dies with it."""

    name = "RabbitMQ"
    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one on the path wants to be root
    package = "rabbitmq-server"

    def __init__(self) -> None:
        self._mapper, self._nodes = free_port(), free_port()
        super().__init__()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{self.address}/"

    def restart(self) -> None:
        """As an operator does it: killed, it would not know of the latest acknowledgements."""
        self._process.stop()
        self.start()

    def command(self, program: str) -> Sequence[str]:
        mapper = f"setpriv --pdeathsig KILL epmd -address {HOST} -port {self._mapper}"
        # Also when the tests are killed, and can end nothing any more.
        orphan = f"while kill -0 {os.getpid()} 2>/dev/null; do sleep 1; done; kill -KILL $$"
        return ["sh", "-c", f"{mapper} & ({orphan}) & exec {shlex.quote(program)} </dev/null"]

    def environment(self) -> Mapping[str, str]:
        folder = self.folder
        return {
            "HOME": str(folder),  # for Erlang's cookie
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._mapper),
            "RABBITMQ_ALLOW_INPUT": "1",  # no shell waits for it
            "RABBITMQ_NODENAME": f"n{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._nodes),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "none"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-noinput +S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }
