"""Dead letters: messages that nobody can handle, put aside by the application."""

import time
from typing import Any

from opentelemetry.trace import Span, get_current_span

from otel_kit import names
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import Hop, Runtime, current, origin
from otel_kit.hops.around import handling
from otel_kit.hops.carriers import Pairs
from otel_kit.hops.hop import Carrier
from otel_kit.hops.messaging import describe
from otel_kit.retries import failures

Headers = list[tuple[str, Any]]
Reason = BaseException | ErrorClass | str
_REASON_LENGTH = 500


def dead_letter(message: object, reason: Reason) -> Headers:
    """The headers to send with `message` when the application puts it aside: to another topic, say.

    They are the message's own, and those that keep its original context and its attempts
    (`docs/telemetry.md` lists them), so that it links to its first life when it comes again.  Pairs
    of a name and bytes; make a `dict` of them for a client that wants one.

    `message` is a library's own or a `Hop`; `reason` is the exception, whose class is counted and
    whose attempts are told if it ended a retried call, or an `ErrorClass`, or words.  The hop of
    the message is marked.  Never raises; without telemetry the headers are the message's own.
    """
    runtime = current()
    if runtime is None:
        return _own(message)
    try:
        hop = describe(message) or Hop(system=names.UNKNOWN, operation=names.UNKNOWN)
        carrier = Pairs(_own(message)) if hop.carrier is None else hop.carrier
        return _put_aside(runtime, hop, carrier, reason)
    except Exception as error:  # the guard: telemetry never harms the application
        runtime.broke("dead_letter", error)
        return _own(message)


def refused(destination: str, reason: Reason) -> None:
    """Count a message that a broker puts aside because its consumer refuses it, and mark its hop.

    Its headers are the broker's to change.
    """
    if (runtime := current()) is not None:
        _count(runtime, _span(), destination, reason, _attempts(runtime.service, reason))


def _put_aside(runtime: Runtime, hop: Hop, carrier: Carrier, reason: Reason) -> Headers:
    attempts, span = _attempts(runtime.service, reason), _span()
    _count(runtime, span, hop.destination, reason, attempts)
    added = origin.headers(carrier, hop.destination, span.get_span_context(), attempts)
    result = Pairs(_pairs(carrier))
    result.update(added)
    return result.pairs


def _span() -> Span:
    """That of the message that is being handled."""
    active = handling()
    return get_current_span() if active is None or active.span is None else active.span


def _count(
    runtime: Runtime, span: Span, destination: str, reason: Reason, attempts: list[origin.Attempt]
) -> None:
    span.set_attribute(names.SPAN_DEAD_LETTER, _words(reason))
    counter = runtime.meter.create_counter(
        names.DEAD_LETTERS, "{message}", "Messages that were put aside."
    )
    error_class = attempts[-1].error_class
    labels = {names.DESTINATION: destination or names.UNKNOWN, names.ERROR_CLASS: error_class}
    counter.add(1, labels)


def _attempts(service: str, reason: Reason) -> list[origin.Attempt]:
    if isinstance(reason, BaseException):
        known = failures(reason)
        if known:
            return [origin.Attempt(each.at, service, each.error_class) for each in known]
        error_class = classify(reason, ErrorClass.SERVER_ERROR)
    else:
        error_class = reason if isinstance(reason, ErrorClass) else ErrorClass.UNKNOWN
    return [origin.Attempt(time.time(), service, error_class.value)]


def _words(reason: Reason) -> str:
    if isinstance(reason, BaseException):
        reason = f"{type(reason).__name__}: {reason}"
    return str(reason)[:_REASON_LENGTH]


def _own(message: object) -> Headers:
    """The headers of a library's message, which Python's Kafka clients all name so."""
    found = message.carrier if isinstance(message, Hop) else getattr(message, "headers", None)
    return _pairs(found)


def _pairs(headers: Any) -> Headers:
    pairs = getattr(headers, "pairs", headers) or ()
    if hasattr(pairs, "items"):
        pairs = pairs.items()
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]
