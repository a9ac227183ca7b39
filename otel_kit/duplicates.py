"""Duplicates: messages that an idempotent consumer has handled before, and skips."""

from opentelemetry.trace import get_current_span

from otel_kit import names
from otel_kit.hops import current
from otel_kit.hops.around import handling
from otel_kit.hops.messaging import describe


def duplicate(message: object = None) -> None:
    """Say that `message`, by default the one being handled, was handled before and is skipped.

    Marks its hop and counts it.  Never raises.
    """
    if (runtime := current()) is None:
        return
    try:
        active = handling()
        span = get_current_span() if active is None or active.span is None else active.span
        span.set_attribute(names.SPAN_DUPLICATE, True)
        hop = describe(message) if message is not None else active and active.hop
        counter = runtime.meter.create_counter(
            names.DUPLICATES, "{message}", "Messages skipped because they were handled before."
        )
        counter.add(1, {names.DESTINATION: (hop and hop.destination) or names.UNKNOWN})
    except Exception as error:  # the guard: telemetry never harms the application
        runtime.broke("duplicate", error)
