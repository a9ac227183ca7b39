"""A Pulsar broker, from Maven, with what it needs in its own process."""

from collections.abc import Sequence
from typing import ClassVar

from collector.stack.process import HOST, free_port
from tests.servers.base import Server
from tests.servers.fetched import jars

_SMALL = ("-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_OPENED = (
    "java.base/java.nio",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.platform",
    "java.base/jdk.internal.ref",
    "java.base/sun.net",
    "java.management/sun.management",
)
"""What it reaches into, as its own start script says."""


class Pulsar(Server):
    """Keeps its messages in its folder; starts within some ten seconds."""

    name: ClassVar[str] = "Pulsar"
    program: ClassVar[str] = "java"
    package: ClassVar[str] = "default-jre-headless"

    def __init__(self) -> None:
        self.web = f"http://{HOST}:{free_port()}"
        super().__init__()

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"pulsar://{self.address}"

    def ready(self) -> str:
        return f"{self.web}/admin/v2/namespaces/public/default"

    def command(self, program: str) -> Sequence[str]:
        library = jars("pulsar")
        lines = (
            "clusterName=standalone",
            f"brokerServicePort={self.port}",
            f"webServicePort={self.web.rpartition(':')[2]}",
            f"bindAddress={HOST}",
            f"advertisedAddress={HOST}",
            "managedLedgerDefaultEnsembleSize=1",
            "managedLedgerDefaultWriteQuorum=1",
            "managedLedgerDefaultAckQuorum=1",
            "loadBalancerEnabled=false",
            "systemTopicEnabled=false",
            "topicLevelPoliciesEnabled=false",
            "diskUsageThreshold=0.99",
        )
        configuration = self.folder / "standalone.conf"
        configuration.write_text("\n".join(lines) + "\n")
        opened = [option for each in _OPENED for option in ("--add-opens", f"{each}=ALL-UNNAMED")]
        return [
            program, *_SMALL, *opened, "-Dio.netty.tryReflectionSetAccessible=true",
            "-cp", f"{library}/*", "org.apache.pulsar.PulsarStandaloneStarter",
            "--config", str(configuration), "--no-functions-worker", "--no-stream-storage",
            "--num-bookies", "1", "--bookkeeper-dir", str(self.folder / "bookie"),
            "--metadata-dir", str(self.folder / "metadata"),
        ]  # fmt: skip
