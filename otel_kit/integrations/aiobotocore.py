"""
aiobotocore, and so aioboto3's clients: the same as botocore's, awaited.

`async with session.create_client("sqs") as sqs: …` makes clients of classes derived from botocore's
own, of which one function is a coroutine's; that is what stands here.
"""

from otel_kit.integrations import _sqs
from otel_kit.integrations._shape import Integration

integration = Integration("aiobotocore", supports="aiobotocore>=2.12,<4", errors=_sqs.errors())
_sqs.declare(integration, "aiobotocore.client:AioBaseClient", _sqs.AIOBOTOCORE, _sqs.awaited)
integration.describes(dict)(_sqs.handed_out)
