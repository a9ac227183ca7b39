"""Clients of the one Redis server of this process, and what lies in it as it lies."""

import uuid
from collections.abc import Iterator
from typing import Any

import redis

from tests.servers.redis import Redis as Server


def client(**options: Any) -> Any:
    """A synchronous client, whatever its types say of replies."""
    return redis.Redis(port=Server.shared().port, **options)


def key() -> str:
    """A name that nobody has used."""
    return f"orders-{uuid.uuid4().hex[:12]}"


def lies(stream: str) -> list[dict[bytes, bytes]]:
    """The entries of a stream, as any other client of Redis sees them."""
    with client() as other:
        return [fields for _, fields in other.execute_command("XRANGE", stream, "-", "+")]


def entries(reply: Any) -> Iterator[Any]:
    """The entries of the streams in a reply, of any version and protocol."""
    for _, found in reply.items() if isinstance(reply, dict) else reply:
        yield from found[0] if found and isinstance(found[0], list) else found
