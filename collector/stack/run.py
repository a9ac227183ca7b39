"""The parts as processes, each with the project's own configuration, on ports of the caller's."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from collector.stack.parts import HERE, PARTS
from collector.stack.process import HOST, Process

_PATHS: Final = {part.name: part.path for part in PARTS}


class NotBuilt(Exception):
    """A part is not in the cache; the message says how to get it."""


def program(name: str) -> Path:
    """Where a part's program is; raises `NotBuilt`."""
    path = _PATHS[name]
    if not path.exists():
        raise NotBuilt(f"{name} is not built: run make stack")
    return path


def collector(
    folder: Path,
    config: str,
    health_port: int,
    environment: Mapping[str, str],
    name: str = "collector",
    overlay: Path | None = None,
) -> Process:
    """A Collector with one of the configurations in ``collector/otelcol``, and one over it."""
    command = [str(program("collector")), f"--config={HERE / 'otelcol' / config}"]
    command += [f"--config={overlay}"] if overlay else []
    ready = f"http://{HOST}:{health_port}/"
    own = {"OTELCOL_HEALTH_PORT": str(health_port), **environment}
    return Process(name, command, folder, ready, own)


def jaeger(folder: Path, query_port: int, environment: Mapping[str, str]) -> Process:
    """Jaeger with its traces on disk in `folder`."""
    command = [str(program("jaeger")), f"--config={HERE / 'jaeger' / 'one-machine.yaml'}"]
    own = {"JAEGER_DATA": str(folder / "data"), "JAEGER_QUERY_PORT": str(query_port), **environment}
    return Process("jaeger", command, folder, f"http://{HOST}:{query_port}/api/services", own)


def prometheus(folder: Path, config: Path, port: int) -> Process:
    """Prometheus with a configuration file; it keeps exemplars and takes remote writes."""
    command = [
        str(program("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--web.enable-remote-write-receiver",
        "--enable-feature=exemplar-storage",
    ]
    return Process("prometheus", command, folder, f"http://{HOST}:{port}/-/ready")


def kafka(folder: Path, port: int, controller_port: int) -> Process:
    """A Kafka broker, formatted when it is new."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    shutil.copy(HERE / "kafka" / "server.properties", properties)
    with properties.open("a") as file:
        file.write(_listeners(folder, port, controller_port))
    java = ["java", "-Xmx512m", "-cp", f"{program('kafka')}/*"]
    if not (folder / "data").exists():
        storage = [*java, "kafka.tools.StorageTool"]
        name = subprocess.check_output([*storage, "random-uuid"], text=True).split()[-1]
        formatting = [*storage, "format", "--standalone", "-t", name, "-c", str(properties)]
        subprocess.run(formatting, check=True, capture_output=True)
    return Process("kafka", [*java, "kafka.Kafka", str(properties)], folder, f"{HOST}:{port}")


def _listeners(folder: Path, port: int, controller_port: int) -> str:
    return "\n".join(
        [
            f"listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
            f"advertised.listeners=PLAINTEXT://{HOST}:{port}",
            f"controller.quorum.bootstrap.servers={HOST}:{controller_port}",
            f"log.dirs={folder / 'data'}",
            "",
        ]
    )
