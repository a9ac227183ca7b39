"""
aiobotocore, and so aioboto3: clients are the same as botocore's, awaited, and resources as boto3's.

`async with session.create_client("sqs") as sqs: …` makes clients of classes derived from botocore's
own, of which one function is a coroutine's; that is what stands here.
"""

from importlib.util import find_spec
from typing import Any

from otel_kit.integrations import _sqs
from otel_kit.integrations._shape import Integration

integration = Integration("aiobotocore", supports="aiobotocore>=2.12,<4", errors=_sqs.errors())
_sqs.declare(integration, "aiobotocore.client:AioBaseClient", _sqs.AIOBOTOCORE, _sqs.awaited)
integration.describes(dict)(_sqs.handed_out)


if find_spec("aioboto3") is not None:
    from boto3.resources.base import ServiceResource

    integration.describes(ServiceResource)(_sqs.handed_out)

    @integration.wraps("aioboto3.resources.action:AIOServiceAction.__call__")
    def acted(wrapped: Any, action: Any, args: Any, kwargs: Any) -> Any:
        if action._action_model.request.operation != "ReceiveMessage":
            return wrapped(*args, **kwargs)
        return _received(wrapped, args, kwargs)


async def _received(wrapped: Any, args: Any, kwargs: Any) -> Any:
    with _sqs.handing_resources():
        messages = await wrapped(*args, **kwargs)
    return integration.handed(messages, args[0], _sqs.handed_out)
