"""Where the parts of the demo find each other, unless the launcher says otherwise."""

import os
from pathlib import Path
from typing import Final

HOST: Final = os.environ.get("DEMO_HOST", "127.0.0.1")
"""Where everything listens: loopback, or the name of the container that the demo is alone in."""

PORTS: Final = {
    "web": 8080,
    "orders": 8081,
    "bank": 8082,
    "otlp": 4317,
    "otlp-http": 4318,
    "query": 16686,
    "explorer": 8501,
}
"""Every port the demo listens on, with its default."""

COLLECTOR_PORTS: Final = ("otlp", "otlp-http", "query")

BOOTSTRAP_SERVERS: Final = "KAFKA_BOOTSTRAP_SERVERS"
IN_MEMORY_BROKER: Final = "DEMO_IN_MEMORY_BROKER"
DIRECTORY: Final = "DEMO_DIR"


def address_variable(name: str) -> str:
    """Return the environment variable that holds the address of one part."""
    return f"DEMO_{name.upper().replace('-', '_')}_ADDRESS"


def address(name: str) -> str:
    """Return ``host:port`` of one part of the demo, for its server and its clients alike."""
    return os.environ.get(address_variable(name), f"{HOST}:{PORTS[name]}")


def url(name: str) -> str:
    return f"http://{address(name)}"


def host_and_port(name: str) -> tuple[str, int]:
    host, _, port = address(name).rpartition(":")
    return host, int(port)


def bootstrap_servers() -> str:
    return os.environ.get(BOOTSTRAP_SERVERS, "127.0.0.1:9092")


def broker_is_in_memory() -> bool:
    return os.environ.get(IN_MEMORY_BROKER) == "true"


def directory() -> Path:
    """Return the folder of this run: databases, logs, telemetry and the switches of the faults."""
    return Path(os.environ.get(DIRECTORY, ".cache/demo"))
