"""Receiving from SQS: our attributes asked for as well, and taken out of what the caller gets."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from otel_kit.hops import Hop, incoming
from otel_kit.hops.carriers import Attributes
from otel_kit.hops.propagation import FIELDS
from otel_kit.integrations._shape import Integration
from otel_kit.integrations._sqs_queues import clients
from otel_kit.integrations._sqs_words import SQS, Steps, destination, digest, quiet
from otel_kit.names import SERVER_TIMING

_FIELDS = (*FIELDS, SERVER_TIMING)
_KEPT = 10_000
"""Messages received lately of which the hop is known."""
_ENVELOPE = 262_144
"""Characters; a longer body is not looked into for the attributes of an SNS notification."""

_as_resources: ContextVar[bool] = ContextVar("otel_kit_sqs_as_resources", default=False)

_received: OrderedDict[str, Hop] = OrderedDict()


@contextmanager
def handing_resources() -> Iterator[None]:
    """Resources are made of the messages that are received within, and those are handed out."""
    token = _as_resources.set(True)
    try:
        yield
    finally:
        _as_resources.reset(token)


def receiving(integration: Integration, client: Any, params: Any) -> Steps:
    integration._guarded(integration.loops.asked_again, client)
    asking = integration._guarded(_asking, params) or params
    with quiet():
        answer = yield asking
    integration._guarded(_watch, client, params)
    integration._guarded(_arrived, integration, client, params, answer)
    return answer


def _watch(client: Any, params: Mapping[str, Any]) -> None:
    clients.of(client).receives(params["QueueUrl"])


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
    queue = destination(params)[1]
    for message in messages:
        _received[message["ReceiptHandle"]] = _describe(queue, message)
        _strip(message, params)
    while len(_received) > _KEPT:
        _received.popitem(last=False)
    if not _as_resources.get():
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
