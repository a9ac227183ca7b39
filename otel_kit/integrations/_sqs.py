"""SQS and SNS, by whichever client of AWS: what a call says, and what its answer does not show.

The context is in three message attributes.  A call that carries them is a copy of the caller's, and
of the answer only what the caller asked for is left, so that nobody sees them who did not ask; the
digests of attributes in answers are those of the attributes the caller knows.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from hashlib import md5
from typing import Any, NamedTuple

from botocore import exceptions
from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # the key every OpenTelemetry exporter sets
    attach,
    detach,
    get_current,
    get_value,
    set_value,
)
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.errors import ErrorClass, classify_http
from otel_kit.hops import ActiveHop, Hop, incoming, outgoing, send
from otel_kit.hops.carriers import Attributes
from otel_kit.hops.hop import Outcome
from otel_kit.hops.messaging import CONVENTION
from otel_kit.integrations._shape import Integration

SQS, SNS = "aws_sqs", "aws.sns"
Steps = Generator[Any, Any, Any]
"""Yields what to call with, is sent the answer or thrown the error, and returns the answer."""
_FIELDS = ("traceparent", "tracestate", "baggage")
_KEPT = 10_000
"""Messages received lately of which the hop is known."""
_ENVELOPE = 262_144
"""Characters; a longer body is not looked into for the attributes of an SNS notification."""
_ENTRIES = {
    "SendMessage": None,
    "SendMessageBatch": "Entries",
    "Publish": None,
    "PublishBatch": "PublishBatchRequestEntries",
}
_TOO_MUCH = ("InvalidParameterValue", "InvalidParameter", "BatchRequestTooLong", "MessageTooLong")
"""Codes of a refusal that our attributes may be the reason of, by their ends."""
_THROTTLED = ("Throttl", "TooManyRequests", "OverLimit", "SlowDown")

as_resources: ContextVar[bool] = ContextVar("otel_kit_sqs_as_resources", default=False)
"""Whether boto3 makes resources of the messages, and hands those out."""


def _outcome(status: tuple[str, int | None], kind: SpanKind) -> Outcome:
    code, http_status = status
    if any(word in code for word in _THROTTLED):
        return Outcome(error_class=ErrorClass.THROTTLED)
    return Outcome(error_class=classify_http(http_status or 400))


_CONVENTION = replace(CONVENTION, outcome=_outcome)


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


class _Sent(NamedTuple):
    hop: ActiveHop
    identity: Any
    """Its name in its batch."""
    own: Mapping[str, Any]
    """The caller's attributes."""
    all: Mapping[str, Any]
    """Those that go out."""

    def end(self, error: BaseException | None) -> None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            said = response.get("Error", {})
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            self.hop.status((str(said.get("Code", "")), status))
        self.hop.end(error)

    def answered(self, answer: MutableMapping[str, Any]) -> None:
        """What the caller verifies is what it sent, if what arrived is what went out."""
        self.hop.note(names.MESSAGING_MESSAGE_ID, answer.get("MessageId"))
        given = answer.get("MD5OfMessageAttributes")
        if given is not None and given == digest(self.all):
            del answer["MD5OfMessageAttributes"]
            if self.own:
                answer["MD5OfMessageAttributes"] = digest(self.own)


def steps(
    integration: Integration, service: str, client: Any, operation: str, params: Any
) -> Steps | None:
    """The course of a call; None for one of another service."""
    if client.meta.service_model.service_name != service or not isinstance(params, dict):
        return None
    if get_value(_SUPPRESS_INSTRUMENTATION_KEY):  # by boto3's integration, which sees it first
        return None
    if operation == "ReceiveMessage":
        return _receiving(integration, client, params)
    if operation in _ENTRIES:
        return _sending(integration, client, operation, params)
    return _quietly(params)


def _quietly(params: Any) -> Steps:
    with _quiet():
        return (yield params)


@contextmanager
def _quiet() -> Iterator[None]:
    """The HTTP request below is the hop's own."""
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        detach(token)


# -- sending ------------------------------------------------------------------------------------


def _sending(integration: Integration, client: Any, operation: str, params: Any) -> Steps:
    touched, sent = integration._guarded(_begun, client, operation, params) or (params, [])
    try:
        with _quiet():
            answer = yield from _accepted(params, touched, sent)
            refused = integration._guarded(_refused, params, touched, _ENTRIES[operation], answer)
            if refused is not None:
                yield from _sent_again(refused, answer)
    except BaseException as error:
        for each in sent:
            each.end(error)
        raise
    integration._guarded(_ended, operation, answer, sent)
    return answer


def _accepted(params: Any, touched: Any, sent: list[_Sent]) -> Steps:
    """The answer; a call that may have been refused for our attributes is made without."""
    try:
        return (yield touched)
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if touched is params or not str(code).endswith(_TOO_MUCH):
            raise
    for each in sent:
        each.hop.note(names.SPAN_PROPAGATION, "missing")
    return (yield params)


def _refused(params: Any, touched: Any, key: str | None, answer: Any) -> Any:
    """A call with those entries of a batch alone, without our attributes; None if there is none."""
    too_much = {
        each["Id"] for each in answer.get("Failed", ()) if str(each["Code"]).endswith(_TOO_MUCH)
    }
    if key is None or touched is params or not too_much:
        return None
    return {**params, key: [each for each in params[key] if each["Id"] in too_much]}


def _sent_again(params: Any, answer: Any) -> Steps:
    try:
        second = yield params
    except Exception:  # they were refused, and stay so
        return
    accepted = second.get("Successful", [])
    taken = {each["Id"] for each in accepted}
    answer["Successful"] = [*answer.get("Successful", ()), *accepted]
    answer["Failed"] = [each for each in answer["Failed"] if each["Id"] not in taken]


def _begun(client: Any, operation: str, params: Any) -> tuple[Any, list[_Sent]] | None:
    destination = _destination(params)
    if not destination[1]:
        return None
    key = _ENTRIES[operation]
    if key is None:
        touched, sent = _message(client, destination, params)
        return touched, [sent]
    entries = [_message(client, destination, each) for each in params[key]]
    return {**params, key: [touched for touched, _ in entries]}, [sent for _, sent in entries]


def _destination(params: Mapping[str, Any]) -> tuple[str, str]:
    """A queue's or a topic's name; none of a phone or a device, which is somebody's."""
    if "QueueUrl" in params:
        return SQS, str(params["QueueUrl"]).rstrip("/").rpartition("/")[2]
    arn = str(params.get("TopicArn") or params.get("TargetArn") or "")
    return SNS, "" if "/" in arn else arn.rpartition(":")[2]


def _message(client: Any, destination: tuple[str, str], entry: Any) -> tuple[Any, _Sent]:
    own = entry.get("MessageAttributes") or {}
    attributes = dict(own)
    carrier = Attributes(attributes)
    hop = outgoing(*destination, carrier=carrier, broker=_address(client))
    hop.convention = _CONVENTION
    active = send(hop).aside().begin(get_current())
    if carrier.lacked_room:
        active.note(names.SPAN_PROPAGATION, "missing")
    touched = {**entry, "MessageAttributes": attributes} if attributes else entry
    return touched, _Sent(active, entry.get("Id"), own, attributes)


def _address(client: Any) -> str:
    return str(client.meta.endpoint_url).partition("://")[2].partition("/")[0]


def _ended(operation: str, answer: Any, sent: list[_Sent]) -> None:
    successful = {each["Id"]: each for each in answer.get("Successful", ())}
    failed = {each["Id"]: each for each in answer.get("Failed", ())}
    for each in sent:
        said = answer if _ENTRIES[operation] is None else successful.get(each.identity)
        if said is not None:
            each.answered(said)
        refused = failed.get(each.identity)
        each.end(None if refused is None else refusal(operation, refused))


def refusal(operation: str, failed: Mapping[str, Any]) -> Exception:
    """What a call of its own would have raised for an entry that was refused."""
    status = {"HTTPStatusCode": 400 if failed.get("SenderFault") else 500}
    said = {"Code": failed.get("Code", ""), "Message": failed.get("Message", "")}
    error: Exception = exceptions.ClientError(
        {"Error": said, "ResponseMetadata": status}, operation
    )
    return error


# -- receiving ----------------------------------------------------------------------------------

_received: OrderedDict[str, Hop] = OrderedDict()


def _receiving(integration: Integration, client: Any, params: Any) -> Steps:
    integration._guarded(integration.loops.asked_again, client)
    asking = integration._guarded(_asking, params) or params
    with _quiet():
        answer = yield asking
    integration._guarded(_arrived, integration, client, params, answer)
    return answer


def _asking(params: Mapping[str, Any]) -> dict[str, Any]:
    """Our attributes and the time of sending are asked for too, in lists of our own."""
    system = "MessageSystemAttributeNames"
    system = system if system in params else "AttributeNames"
    wanted = list(params.get("MessageAttributeNames") or ())
    timed = list(params.get(system) or ())
    return {
        **params,
        "MessageAttributeNames": [*wanted, *(f for f in _FIELDS if not _covers(wanted, f))],
        system: timed if _covers(timed, "SentTimestamp") else [*timed, "SentTimestamp"],
    }


def _covers(asked: Any, name: str) -> bool:
    for each in asked or ():
        if each in ("All", ".*", name) or (each.endswith(".*") and name.startswith(each[:-2])):
            return True
    return False


def _arrived(integration: Integration, client: Any, params: Any, answer: Any) -> None:
    messages = answer.get("Messages")
    if not messages:
        return
    queue = _destination(params)[1]
    for message in messages:
        _received[message["ReceiptHandle"]] = _describe(queue, message)
        _strip(message, params)
    while len(_received) > _KEPT:
        _received.popitem(last=False)
    if not as_resources.get():
        answer["Messages"] = integration.handed(messages, client, handed_out)


def _describe(queue: str, message: Mapping[str, Any]) -> Hop:
    sent = message.get("Attributes", {}).get("SentTimestamp")
    attributes = message.get("MessageAttributes") or _of_envelope(message.get("Body", ""))
    return incoming(
        SQS,
        queue,
        carrier=Attributes(dict(attributes)),
        sent_at=None if sent is None else int(sent) / 1000,
        message_id=message.get("MessageId"),
        delivery=message["ReceiptHandle"],
    )


def _of_envelope(body: str) -> Mapping[str, Any]:
    """The attributes of a notification of SNS, which is JSON unless its delivery is raw."""
    if not body.startswith("{") or "traceparent" not in body or len(body) > _ENVELOPE:
        return {}
    try:
        envelope = json.loads(body)
    except ValueError:
        return {}
    attributes = envelope.get("MessageAttributes") if envelope.get("TopicArn") else None
    return attributes if isinstance(attributes, dict) else {}


def _strip(message: MutableMapping[str, Any], params: Mapping[str, Any]) -> None:
    """Take out what the caller did not ask for, and its part in the digest."""
    asked = params.get("MessageAttributeNames")
    _take(message, "MessageAttributes", [f for f in _FIELDS if not _covers(asked, f)])
    timed = [*(params.get("AttributeNames") or ())]
    timed += params.get("MessageSystemAttributeNames") or ()
    if not _covers(timed, "SentTimestamp"):
        _take(message, "Attributes", ["SentTimestamp"])


def _take(message: MutableMapping[str, Any], key: str, unasked: list[str]) -> None:
    before = message.get(key)
    if not before or before.keys().isdisjoint(unasked):
        return
    left = {name: value for name, value in before.items() if name not in unasked}
    known = message.pop(f"MD5Of{key}", None)
    del message[key]
    if left:
        message[key] = left
        if known is not None:
            message[f"MD5Of{key}"] = digest(left) if known == digest(before) else known


def handed_out(message: Any, _consumer: Any = None) -> Hop | None:
    """The hop of a message, as the client returned it or as boto3's resource."""
    handle = getattr(message, "receipt_handle", None)
    if handle is None and isinstance(message, dict):
        handle = message.get("ReceiptHandle")
    return _received.get(handle) if isinstance(handle, str) else None


def digest(attributes: Mapping[str, Any]) -> str:
    """`MD5OfMessageAttributes`, as SQS's guide to message metadata says how to make it."""

    def field(raw: bytes) -> bytes:
        return len(raw).to_bytes(4, "big") + raw

    found = md5(usedforsecurity=False)
    for name, value in sorted(attributes.items()):
        found.update(field(name.encode()) + field(value["DataType"].encode()))
        if "BinaryValue" in value:
            raw = value["BinaryValue"]
            found.update(b"\x02" + field(raw.encode() if isinstance(raw, str) else bytes(raw)))
        else:
            found.update(b"\x01" + field(str(value["StringValue"]).encode()))
    return found.hexdigest()


# -- the two ways to take the steps -------------------------------------------------------------

Call = Callable[[str, Any], Any]
Taken = Callable[..., Any]
_BOTO3SQS = "opentelemetry.instrumentation.boto3sqs:Boto3SQSInstrumentor"


def declare(integration: Integration, client: str, contrib: str, taken: Taken) -> None:
    """SQS and SNS by `client`; of OpenTelemetry's instrumentors one knows SQS, the other SNS."""
    for service, instrumentor in (("sqs", _BOTO3SQS), ("sns", contrib)):
        side = integration.side(instrumentor)
        side.wraps(f"{client}._make_api_call")(_around(integration, service, taken))

    @integration.asks(f"{client}.close")
    def closed(call: Any) -> None:
        integration.loops.closed(call.instance)


def _around(integration: Integration, service: str, taken: Taken) -> Taken:
    def around(wrapped: Call, client: Any, args: Any, kwargs: Any) -> Any:
        course = integration._guarded(_course, integration, service, client, args, kwargs)
        return wrapped(*args, **kwargs) if course is None else taken(course, wrapped, args[0])

    return around


def _course(integration: Integration, service: str, client: Any, args: Any, kwargs: Any) -> Any:
    # botocore's own methods pass both by position.
    return steps(integration, service, client, *args) if len(args) == 2 and not kwargs else None


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
