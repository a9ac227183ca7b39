"""
botocore, and so boto3's clients: SQS's `send_message`, `send_message_batch` and `receive_message`,
SNS's `publish` and `publish_batch`.

A send is over when AWS has answered; each entry of a batch is a hop.  A message's hop lasts while
the body of `for message in response["Messages"]` handles it; for a message taken otherwise, or for
all of them at once, say `with otel_kit.process(message):`.

The context takes up to three of the ten attributes that a message may have.  Where there is less
room, `traceparent` comes before `tracestate` and that before `baggage`; where there is none, or AWS
refuses the message with them, it goes out as the application made it, and its span says so
(`otel_kit.propagation`: missing).

No other service of AWS makes hops here.  Of OpenTelemetry's instrumentors `Boto3SQSInstrumentor` is
stepped aside for with SQS, `BotocoreInstrumentor` with SNS only: it spans every other call as well,
and carries no context through SQS, so its spans are beside ours.

Depth and lag of the queues that a client receives from are asked for every 30 seconds by a
`GetQueueAttributes` of that client, which AWS counts as a request.
"""

from otel_kit.integrations import _sqs
from otel_kit.integrations._shape import Integration

integration = Integration("botocore", supports="botocore>=1.34.51,<2", errors=_sqs.errors())
_sqs.declare(integration, "botocore.client:BaseClient", _sqs.BOTO3, _sqs.at_once)
integration.describes(dict)(_sqs.handed_out)
