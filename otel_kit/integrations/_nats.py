"""nats-py: what a message says by its subjects (whose it is, which delivery, of which consumer)."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from nats import errors
from nats.js import errors as js_errors

from otel_kit.errors import ErrorClass
from otel_kit.hops.carriers import Headers, Mapped
from otel_kit.integrations._patch import Call
from otel_kit.integrations._shape import Integration
from otel_kit.integrations._subjects import pattern, template
from otel_kit.names import TRACESTATE_KEY

SYSTEM = "nats"
_ACK = "$JS.ACK."
_NAMED = {
    "NoRespondersError": ErrorClass.UNAVAILABLE,
    "NoStreamResponseError": ErrorClass.UNAVAILABLE,
    "ServiceUnavailableError": ErrorClass.UNAVAILABLE,
    "TooManyStalledMsgsError": ErrorClass.THROTTLED,
    "SlowConsumerError": ErrorClass.THROTTLED,
    "ServerError": ErrorClass.SERVER_ERROR,
    **dict.fromkeys(
        (
            *("StaleConnectionError", "ConnectionClosedError", "ConnectionDrainingError"),
            *("ConnectionReconnectingError", "NoServersError", "OutboundBufferLimitError"),
        ),
        ErrorClass.CONNECTION,
    ),
    **dict.fromkeys(
        (
            *("BadSubjectError", "BadHeaderError", "MaxPayloadError", "AuthorizationError"),
            *("BadRequestError", "NotFoundError", "BadSubscriptionError"),
        ),
        ErrorClass.CLIENT_ERROR,
    ),
}


def error_classes() -> dict[type[BaseException], ErrorClass]:
    """The classes of the library's exceptions; older versions have fewer."""
    known = {**vars(errors), **vars(js_errors)}
    return {known[name]: found for name, found in _NAMED.items() if name in known}


integration = Integration("nats-py", supports="nats-py>=2.3,<3", errors=error_classes())


class Delivery(NamedTuple):
    """What the reply subject of a message from a stream says of its delivery."""

    stream: str = ""
    consumer: str = ""
    number: int = 1
    """Of the delivery: from 2 on the message is delivered again."""
    sequence: str | None = None
    sent_at: float | None = None
    """When the stream took it, in seconds since the epoch."""

    @classmethod
    def of(cls, message: Any) -> "Delivery":
        """That of a message; of one from no stream, that of nothing."""
        if not message.reply.startswith(_ACK):
            return NO_DELIVERY
        tokens = message.reply.split(".")
        if len(tokens) < 9 or len(tokens) == 10:
            return NO_DELIVERY
        start = 2 if len(tokens) == 9 else 4  # since 2.2 a domain and an account come before
        stream, consumer, number, sequence, _, at = tokens[start : start + 6]
        return cls(stream, consumer, int(number), sequence, int(at) / 1e9)


NO_DELIVERY = Delivery()


def internal(client: Any, subject: str) -> bool:
    """Whether it is no message of the application's: the server's own API, or an answer.

    `$JS`, `$KV`, `$O`, `$SRV` and `$SYS` are the server's; each inbox is for one answer, or one
    consumer, which gets messages under the subjects that they were sent to.
    """
    return subject.startswith("$") or is_inbox(client, subject)


def is_inbox(client: Any, subject: str) -> bool:
    """Whether the client has made this name for answers."""
    prefix = client._inbox_prefix.decode()
    return subject.startswith((f"{prefix}.", "_INBOX."))


def is_request(message: Any) -> bool:
    """Whether the sender waits for the answer.

    A publisher to a stream gives a subject for answers as well, and the stream answers.  By the
    time of sending, which messages have and requests have not, the kit's own are told apart.
    """
    if not message.reply or message.reply.startswith(_ACK):
        return False
    state = headers_of(message).get("tracestate", "")
    ours = next((m for m in state.split(",") if m.strip().startswith(f"{TRACESTATE_KEY}=")), "")
    return ";t:" not in ours


def headers_of(message: Any) -> Headers:
    """A message's headers, to be read."""
    return Headers(list((message.headers or {}).items()))


def carrier(call: Call, client: Any) -> Mapped | None:
    """A copy of a call's headers, which takes their place; None where nobody would take any."""
    given = call["headers"]
    if not (given is None or isinstance(given, Mapping)):
        return None  # the library's to refuse
    if not client._server_info.get("headers"):
        return None  # a server before 2.2 would refuse them
    call["headers"] = headers = dict(given or {})
    return Mapped(headers)


def broker(client: Any) -> str | None:
    """`host:port` of the server that the client is connected to."""
    server = client._current_server
    return None if server is None else f"{server.uri.hostname}:{server.uri.port}"


def bounded(subject: str, subscribed: str = "") -> str | None:
    """What stands for a subject with ids in it: what was subscribed to, or what looks like it."""
    return pattern(subscribed, ".", ("*", ">")) or template(subject, ".", "*")


pulled: WeakKeyDictionary[Any, tuple[str, str]] = WeakKeyDictionary()
"""What was subscribed to, and the consumer's name, by the inner subscription of a pull."""


def consumer_of(subscription: Any) -> tuple[str, str]:
    """What was subscribed to, and as which group: names that the application has given."""
    if subscription is None:
        return "", ""
    inner = getattr(subscription, "_sub", subscription)
    if inner in pulled:
        return pulled[inner]
    if inner._jsi is None:
        return inner._subject, inner._queue
    config = inner._jsi._ccreq
    return config.filter_subject or "", config.durable_name or config.deliver_group or ""
