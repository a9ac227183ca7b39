"""
boto3's resources: `queue.receive_messages()`, a list of messages that are objects.

The body of `for message in queue.receive_messages()` is the handler.  All else is as with a client,
which is botocore's.
"""

from typing import Any

from boto3.resources.base import ServiceResource

from otel_kit.integrations import _sqs
from otel_kit.integrations._shape import Integration

integration = Integration("boto3", supports="boto3>=1.34.51,<2", errors=_sqs.errors())
_sqs.declare(integration, "botocore.client:BaseClient", _sqs.BOTO3, _sqs.at_once)


@integration.wraps("boto3.resources.action:ServiceAction.__call__")
def acted(wrapped: Any, action: Any, args: Any, kwargs: Any) -> Any:
    if action._action_model.request.operation != "ReceiveMessage":
        return wrapped(*args, **kwargs)
    with _sqs.handing_resources():
        messages = wrapped(*args, **kwargs)
    return integration.handed(messages, args[0], _sqs.handed_out)


integration.describes(ServiceResource)(_sqs.handed_out)
