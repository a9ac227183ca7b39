"""Sending by SQS and SNS: the context in a copy of the message, and what became of it.

A message that is refused with the context goes out without; what the answer says of attributes is
said of the caller's own.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any, NamedTuple

from botocore import exceptions
from opentelemetry.context import get_current
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.errors import ErrorClass, classify_http
from otel_kit.hops import ActiveHop, outgoing, send
from otel_kit.hops.carriers import Attributes
from otel_kit.hops.hop import Outcome
from otel_kit.hops.messaging import CONVENTION
from otel_kit.integrations._shape import Integration
from otel_kit.integrations._sqs_words import Steps, destination, digest, quiet

ENTRIES = {
    "SendMessage": None,
    "SendMessageBatch": "Entries",
    "Publish": None,
    "PublishBatch": "PublishBatchRequestEntries",
}
"""What sends, and where it has its messages if there may be several."""
_TOO_MUCH = ("InvalidParameterValue", "InvalidParameter", "BatchRequestTooLong", "MessageTooLong")
"""Codes of a refusal that our attributes may be the reason of, by their ends."""
_THROTTLED = ("Throttl", "TooManyRequests", "OverLimit", "SlowDown")


def _outcome(status: tuple[str, int | None], kind: SpanKind) -> Outcome:
    code, http_status = status
    if any(word in code for word in _THROTTLED):
        return Outcome(error_class=ErrorClass.THROTTLED)
    return Outcome(error_class=classify_http(http_status or 400))


_CONVENTION = replace(CONVENTION, outcome=_outcome)


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


def sending(integration: Integration, client: Any, operation: str, params: Any) -> Steps:
    touched, sent = integration._guarded(_begun, client, operation, params) or (params, [])
    try:
        with quiet():
            answer = yield from _accepted(params, touched, sent)
            refused = integration._guarded(_refused, params, touched, ENTRIES[operation], answer)
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
    where = destination(params)
    if not where[1]:
        return None
    key = ENTRIES[operation]
    if key is None:
        touched, sent = _message(client, where, params)
        return touched, [sent]
    entries = [_message(client, where, each) for each in params[key]]
    return {**params, key: [touched for touched, _ in entries]}, [sent for _, sent in entries]


def _message(client: Any, where: tuple[str, str], entry: Any) -> tuple[Any, _Sent]:
    own = entry.get("MessageAttributes") or {}
    attributes = dict(own)
    carrier = Attributes(attributes)
    hop = outgoing(*where, carrier=carrier, broker=_address(client))
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
        said = answer if ENTRIES[operation] is None else successful.get(each.identity)
        if said is not None:
            each.answered(said)
        refused = failed.get(each.identity)
        each.end(None if refused is None else _refusal(operation, refused))


def _refusal(operation: str, failed: Mapping[str, Any]) -> Exception:
    """What a call of its own would have raised for an entry that was refused."""
    status = {"HTTPStatusCode": 400 if failed.get("SenderFault") else 500}
    said = {"Code": failed.get("Code", ""), "Message": failed.get("Message", "")}
    error: Exception = exceptions.ClientError(
        {"Error": said, "ResponseMetadata": status}, operation
    )
    return error
