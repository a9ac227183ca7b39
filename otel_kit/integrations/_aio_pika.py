"""What the parts of aio-pika's integration share."""

from aio_pika import exceptions

from otel_kit.errors import ErrorClass
from otel_kit.hops.latest import Latest
from otel_kit.integrations._shape import Integration

integration = Integration(
    "aio-pika",
    supports="aio-pika>=9.1,<11",
    contrib=("opentelemetry.instrumentation.aio_pika:AioPikaInstrumentor",),
    errors={
        exceptions.AMQPConnectionError: ErrorClass.CONNECTION,
        exceptions.ChannelInvalidStateError: ErrorClass.CONNECTION,
        exceptions.AMQPChannelError: ErrorClass.CLIENT_ERROR,
        exceptions.DeliveryError: ErrorClass.UNAVAILABLE,
        exceptions.PublishError: ErrorClass.CLIENT_ERROR,
    },
)
sources: Latest[tuple[str, str | None]] = Latest(1000)
"""A message's queue, and where its answer goes, by its headers: they are this delivery's alone."""
