"""Keys of OpenTelemetry's context: the kit's own, and those of the API's that it reads."""

from typing import Final

from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN
from opentelemetry.trace.propagation import set_span_in_context

HOP: Final = create_key("otel_kit-hop")
"""The innermost hop under way."""
INBOUND: Final = create_key("otel_kit-inbound")
"""What the headers of the current inbound hop said."""
ATTEMPT: Final = create_key("otel_kit-attempt")
"""The attempt of a retried call that is under way; it is told whom it called."""
PLACE: Final = create_key("otel_kit-place")
"""The innermost saga, step or the like that was entered."""
REPLAY: Final = create_key("otel_kit-replay")
"""Set within a replay."""

# A context is copied each time a value is added.  With the keys several are added at once.
[SPAN] = set_span_in_context(INVALID_SPAN, Context())
"""The API's: the current span."""
[BAGGAGE] = set_baggage("key", "value", Context())
"""The API's: the baggage, a mapping."""
