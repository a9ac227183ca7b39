"""Request and reply over a broker, as one round trip: who asks is a CLIENT, who answers a SERVER.

Of the two messages neither makes a hop of its own at either side.  The request has the headers that
`request()` gives, the answer those that `reply()` gives; the integrations know both by them.  NATS'
own `request` and aio-pika's RPC need none of this.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from otel_kit import names
from otel_kit.hops import ActiveHop, call, current, process
from otel_kit.hops.carriers import AnyHeaders, Mapped, as_pairs
from otel_kit.hops.messaging import request as asking


class Request:
    """A message whose answer is waited for."""

    def __init__(self, headers: dict[str, str], hop: ActiveHop) -> None:
        self.headers: Final = headers
        """To send with it."""
        self._hop = hop

    def answered(self, headers: AnyHeaders) -> None:
        """The answer has come, with these headers, which say who gave it."""
        try:
            self._hop.answered(as_pairs(headers).get(names.SERVER_TIMING))
        except Exception as error:  # the guard: telemetry never harms the application
            if (runtime := current()) is not None:
                runtime.broke("answer to a request", error)


class Reply:
    """The answer to a message."""

    def __init__(self, hop: ActiveHop) -> None:
        self._hop = hop

    @property
    def headers(self) -> dict[str, str]:
        """To send with it: who answers, and how long it took until now.

        Empty for who knows nothing of the kit: to them the answer is a message like any other.
        """
        said = self._hop.reply()
        return {} if said is None else {names.SERVER_TIMING: said}


@contextmanager
def request(
    system: str,
    destination: str,
    headers: Mapping[str, str] | None = None,
    *,
    broker: str | None = None,
) -> Iterator[Request]:
    """A message to `destination` (a topic or queue), from its sending until its answer has come.

        with otel_kit.request_reply.request("kafka", "prices") as request:
            headers = [(name, value.encode()) for name, value in request.headers.items()]
            producer.send("prices", b"kettle", headers=headers)
            answer = answers.get(timeout=5)
            request.answered(answer.headers)

    `system` is the transport as the integration names it (`kafka`, `rabbitmq`, `mqtt`, …), `broker`
    its `host:port`.  `headers`, which are copied, are sent along.  An answer that does not come is
    the application's exception: TimeoutError has the error class `timeout`.
    """
    carrier = dict(headers or {})
    with call(asking(system, destination, carrier=Mapped(carrier), broker=broker)) as hop:
        yield Request(carrier, hop)


@contextmanager
def reply(message: object) -> Iterator[Reply]:
    """The handling of `message`, a library's own or a `Hop`, and the sending of its answer.

        for message in consumer:
            with otel_kit.request_reply.reply(message) as reply:
                headers = [(name, value.encode()) for name, value in reply.headers.items()]
                producer.send(reply_to(message), price(message.value), headers=headers)

    Whether somebody waits is in the message's headers: one of which nobody does is processed as
    ever.
    """
    with process(message) as hop:
        yield Reply(hop)
