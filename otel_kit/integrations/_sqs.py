"""SQS and SNS, by whichever client of AWS: what a call says, and what its answer does not show.

The context is in three message attributes.  A call that carries them is a copy of the caller's, and
of the answer only what the caller asked for is left, so that nobody sees them who did not ask; the
digests of attributes in answers are those of the attributes the caller knows.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions

from otel_kit.errors import ErrorClass
from otel_kit.integrations._shape import Integration
from otel_kit.integrations._sqs_queues import clients
from otel_kit.integrations._sqs_receiving import handed_out, handing_resources, receiving
from otel_kit.integrations._sqs_sending import ENTRIES, sending
from otel_kit.integrations._sqs_words import Steps, is_quiet, quiet

__all__ = ["at_once", "awaited", "declare", "errors", "handed_out", "handing_resources"]


def errors() -> dict[type[BaseException], ErrorClass]:
    """The classes of botocore's exceptions."""
    return {
        exceptions.ConnectTimeoutError: ErrorClass.TIMEOUT,
        exceptions.ReadTimeoutError: ErrorClass.TIMEOUT,
        exceptions.ConnectionError: ErrorClass.CONNECTION,
        exceptions.HTTPClientError: ErrorClass.CONNECTION,
        exceptions.SSLError: ErrorClass.TLS,
        exceptions.ParamValidationError: ErrorClass.CLIENT_ERROR,
        exceptions.NoCredentialsError: ErrorClass.CLIENT_ERROR,
    }


def _steps(
    integration: Integration, service: str, client: Any, operation: str, params: Any
) -> Steps | None:
    """The course of a call; None for one of another service."""
    if client.meta.service_model.service_name != service or not isinstance(params, dict):
        return None
    if is_quiet():  # by boto3's integration, which sees it first
        return None
    if operation == "ReceiveMessage":
        return receiving(integration, client, params)
    if operation in ENTRIES:
        return sending(integration, client, operation, params)
    return _quietly(params)


def _quietly(params: Any) -> Steps:
    with quiet():
        return (yield params)


Call = Callable[[str, Any], Any]
Taken = Callable[..., Any]
_INSTRUMENTATION = "opentelemetry.instrumentation"
BOTO3 = {
    "sqs": f"{_INSTRUMENTATION}.boto3sqs:Boto3SQSInstrumentor",
    "sns": f"{_INSTRUMENTATION}.botocore:BotocoreInstrumentor",
}
AIOBOTOCORE = {"sns": f"{_INSTRUMENTATION}.botocore:AiobotocoreInstrumentor"}
"""Which of OpenTelemetry's instrumentors carries context through which service."""


def declare(
    integration: Integration, client: str, contrib: Mapping[str, str], taken: Taken
) -> None:
    """SQS and SNS by `client`; each steps aside for the instrumentor that knows it."""
    for service in ("sqs", "sns"):
        side = integration.side(*filter(None, [contrib.get(service)]))
        side.wraps(f"{client}._make_api_call")(_around(integration, service, taken))

    @integration.asks(f"{client}.close")
    def closed(call: Any) -> None:
        integration.loops.closed(call.instance)
        clients.forget(call.instance)


def _around(integration: Integration, service: str, taken: Taken) -> Taken:
    def around(wrapped: Call, client: Any, args: Any, kwargs: Any) -> Any:
        course = integration._guarded(_course, integration, service, client, args, kwargs)
        return wrapped(*args, **kwargs) if course is None else taken(course, wrapped, args[0])

    return around


def _course(integration: Integration, service: str, client: Any, args: Any, kwargs: Any) -> Any:
    # botocore's own methods pass both by position.
    return _steps(integration, service, client, *args) if len(args) == 2 and not kwargs else None


def at_once(course: Steps, call: Call, operation: str) -> Any:
    """The answer of a call that takes these steps."""
    try:
        params = next(course)
        while True:
            try:
                answer = call(operation, params)
            except BaseException as error:
                params = course.throw(error)
            else:
                params = course.send(answer)
    except StopIteration as end:
        return end.value


async def awaited(course: Steps, call: Call, operation: str) -> Any:
    """The same of a coroutine function."""
    try:
        params = next(course)
        while True:
            try:
                answer = await call(operation, params)
            except BaseException as error:
                params = course.throw(error)
            else:
                params = course.send(answer)
    except StopIteration as end:
        return end.value
