"""What the hops of redis-py share: its errors, where a client is connected, what keys say."""

from typing import Any

from redis import exceptions

from otel_kit.errors import ErrorClass
from otel_kit.integrations._inbound import Loop
from otel_kit.integrations._shape import Integration

SYSTEM = "redis"
ERRORS: dict[type[BaseException], ErrorClass] = {
    exceptions.TimeoutError: ErrorClass.TIMEOUT,
    exceptions.ConnectionError: ErrorClass.CONNECTION,
    exceptions.AuthenticationError: ErrorClass.CLIENT_ERROR,
    exceptions.ResponseError: ErrorClass.CLIENT_ERROR,
    exceptions.DataError: ErrorClass.SERIALIZATION,
    exceptions.WatchError: ErrorClass.CANCELLED,
    **dict.fromkeys(
        (
            exceptions.BusyLoadingError,
            exceptions.ClusterDownError,
            exceptions.ReadOnlyError,
            exceptions.TryAgainError,
            exceptions.OutOfMemoryError,
        ),
        ErrorClass.UNAVAILABLE,
    ),
}
integration = Integration("redis", supports="redis>=5.0.1,<9", errors=ERRORS)
REMEMBERED = 10_000
_A_TIME = 10**12
"""An id that begins with less is no time in milliseconds: somebody counts by himself."""


def text(raw: Any) -> str:
    """A key, a group or an id, however the application or the library has it."""
    return bytes(raw).decode(errors="replace") if isinstance(raw, (bytes, memoryview)) else str(raw)


def broker(client: Any) -> str | None:
    """`host:port` of a client that has one server."""
    pool = getattr(client, "connection_pool", None)
    at = getattr(pool, "connection_kwargs", {})
    return f"{at['host']}:{at.get('port', 6379)}" if "host" in at else None


def sent_at(entry: Any) -> float | None:
    """When an entry of this id was added, in seconds since the epoch, if its id tells."""
    milliseconds = text(entry).partition("-")[0]
    told = milliseconds.isdigit() and int(milliseconds) >= _A_TIME
    return int(milliseconds) / 1000 if told else None


class ByClient(Loop):
    """Whoever takes a client's next message has done with the one before, of whatever list."""

    def __init__(self, describe: Any, client: Any) -> None:
        super().__init__(integration, describe)
        self._client = client

    def asked(self, consumer: Any) -> None:
        super().asked(self._client)

    def closed(self, consumer: Any) -> None:
        super().closed(self._client)

    def hands_out(self, message: Any, consumer: Any, source: Any = None) -> Any:
        return super().hands_out(message, consumer)
