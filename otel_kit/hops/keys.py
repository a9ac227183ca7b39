"""What the kit keeps in OpenTelemetry's context beside the span and the baggage."""

from typing import Final

from opentelemetry.context import create_key

HOP: Final = create_key("otel_kit-hop")
"""The innermost hop under way."""
INBOUND: Final = create_key("otel_kit-inbound")
"""What the headers of the current inbound hop said."""
ATTEMPT: Final = create_key("otel_kit-attempt")
"""The attempt of a retried call that is under way; it is told whom it called."""
PLACE: Final = create_key("otel_kit-place")
"""The innermost saga or step that was entered."""
