"""What is particular to SQS and SNS: room for attributes, what callers see, batches, envelopes."""

import asyncio
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import boto3
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.awsrequest import AWSResponse
from opentelemetry import baggage, context
from opentelemetry.trace import SpanKind
from urllib3 import HTTPResponse

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, TRACE_ID
from otel_kit.testing.contract.messaging import as_headers
from tests.contract.harness.sqs import Sqs, attributes, options
from tests.gauges.waiting import until
from tests.spans import handled, sent, trace_id

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
CONTEXT = {"traceparent", "tracestate", "baggage"}


@pytest.fixture
def server() -> Sqs:
    return Sqs.shared()


@pytest.fixture
def queue(server: Sqs) -> dict[str, str]:
    return {"QueueUrl": server.queue(server.topic())}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """botocore instrumented, and nothing else."""
    with capture("tested", integrations=["botocore"]) as found:
        yield found


def name_of(queue: dict[str, str]) -> str:
    return queue["QueueUrl"].rpartition("/")[2]


def numbered(count: int) -> dict[str, Any]:
    return attributes({f"own-{number}": str(number) for number in range(count)})


# -- room -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "ours"),
    [
        (7, {"traceparent", "tracestate", "baggage"}),
        (8, {"traceparent", "tracestate"}),
        (9, {"traceparent"}),
        (10, set()),
    ],
)
def test_the_context_takes_what_room_there_is(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str], own: int, ours: set[str]
) -> None:
    """The application's attributes all arrive; of ours the more important come first."""
    token = context.attach(baggage.set_baggage("tenant", "7"))
    server.connect("sqs").send_message(
        **queue, MessageBody="value", MessageAttributes=numbered(own)
    )
    context.detach(token)

    (arrived,) = server.received(name_of(queue), 1)
    assert {name for name, _ in arrived} == {*numbered(own), *ours}
    span = telemetry.span(kind=PRODUCER)
    says = (span.attributes or {}).get(names.SPAN_PROPAGATION)
    assert says == (None if ours == CONTEXT else "missing")


class Refusing:
    """AWS, for as long as a message has attributes: its limits are not moto's."""

    def __init__(self, client: Any, status: int, answer: dict[str, Any]) -> None:
        self.status, self.answer = status, answer
        client.meta.events.register("before-send.sqs", self)

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        if b"traceparent" not in request.body:
            return None
        headers = {"x-amzn-query-error": "InvalidParameterValue;Sender"}
        raw = HTTPResponse(BytesIO(json.dumps(self.answer).encode()), preload_content=False)
        return AWSResponse(request.url, self.status, headers, raw)


def test_a_message_that_is_refused_with_the_context_goes_out_without(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str]
) -> None:
    """As it was made; what is refused even so raises what it ever raised."""
    client = server.connect("sqs")
    Refusing(client, 400, {"message": "Message must be shorter than 1 bytes."})
    client.send_message(**queue, MessageBody="v", MessageAttributes=numbered(1))
    with pytest.raises(client.exceptions.ClientError, match="DelaySeconds is invalid"):
        client.send_message(**queue, MessageBody="v", DelaySeconds=5000)

    assert server.received(name_of(queue), 1) == [[("own-0", b"0")]]
    spans = telemetry.matching(kind=PRODUCER)
    assert [(each.attributes or {})[names.SPAN_PROPAGATION] for each in spans] == ["missing"] * 2
    assert sent(telemetry, error_class="client_error") == 1


def test_an_entry_that_is_refused_with_the_context_goes_out_without(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str]
) -> None:
    """It alone, once more; the answer is that of one call."""
    client = server.connect("sqs")
    refused = {"Id": "b", "SenderFault": True, "Code": "InvalidParameterValue", "Message": ""}
    taken = {"Id": "a", "MessageId": "1", "MD5OfMessageBody": ""}
    Refusing(client, 200, {"Successful": [taken], "Failed": [refused]})
    entries = [{"Id": each, "MessageBody": each} for each in "ab"]
    answer = client.send_message_batch(**queue, Entries=entries)

    assert [each["Id"] for each in answer["Successful"]] == ["a", "b"]
    assert answer["Failed"] == []
    assert server.received(name_of(queue), 1) == [[]]
    assert (sent(telemetry), sent(telemetry, error_class="client_error")) == (2, 0)


# -- what callers see -----------------------------------------------------------------------------


def without_ids(answer: dict[str, Any]) -> Any:
    """What does not differ from call to call."""
    unlike = ("ResponseMetadata", "MessageId", "ReceiptHandle", "SentTimestamp")
    found = json.loads(json.dumps(answer))
    for each in (found, *found.get("Messages", ())):
        for key in unlike:
            each.pop(key, None)
            each.get("Attributes", {}).pop(key, None)
    return found


@pytest.mark.parametrize("system", ["AttributeNames", "MessageSystemAttributeNames"])
@pytest.mark.parametrize("asked", [None, [], ["own-0"], ["own-.*"], ["own-0", "absent"]])
def test_the_caller_gets_what_it_gets_without_the_kit(
    server: Sqs, queue: dict[str, str], asked: list[str] | None, system: str
) -> None:
    """Attributes, digests and lists: of our attributes nobody sees anything who did not ask."""
    client = server.connect("sqs")
    arguments: dict[str, Any] = {} if asked is None else {"MessageAttributeNames": asked}
    arguments[system] = ["SenderId"]
    before = json.dumps(arguments)

    def exchange() -> list[Any]:
        answers = [
            client.send_message(**queue, MessageBody="v", MessageAttributes=numbered(2)),
            client.receive_message(**queue, **arguments),
            client.send_message(**queue, MessageBody="v"),
            client.receive_message(**queue, **arguments),
            client.receive_message(**queue, **arguments),
        ]
        return [without_ids(answer) for answer in answers]

    plain = exchange()
    with capture("tested", integrations=["botocore"]):
        assert exchange() == plain
    assert json.dumps(arguments) == before


def test_who_asks_for_all_sees_the_context(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str]
) -> None:
    """It is a part of the message, as anybody else's attributes are."""
    client = server.connect("sqs")
    client.send_message(**queue, MessageBody="v")
    (message,) = client.receive_message(**queue, MessageAttributeNames=["All"])["Messages"][:]

    assert message["MessageAttributes"].keys() == {"traceparent", "tracestate"}


def test_a_message_taken_by_its_index_is_handled_by_process(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str]
) -> None:
    """Where there is no loop nothing begins; `process(message)` knows what was received."""
    server.deliver(name_of(queue), as_headers(SAMPLED))
    messages = server.connect("sqs").receive_message(**queue)["Messages"]
    message = messages[0]
    assert trace_id() == 0
    with otel_kit.process(message):
        assert trace_id() == TRACE_ID
    with otel_kit.process({"some": "dict"}):
        assert trace_id() == 0

    assert isinstance(messages, list)
    assert json.loads(json.dumps(messages[:])) == messages
    assert handled(telemetry) == 1


# -- batches -----------------------------------------------------------------------------------


def test_each_entry_of_a_batch_is_a_hop(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str]
) -> None:
    """With a span of its own in its own attributes; the caller's entries stay as they were."""
    entries = [{"Id": str(number), "MessageBody": "v"} for number in range(3)]
    answer = server.connect("sqs").send_message_batch(**queue, Entries=entries)

    arrived = [
        dict(each)["traceparent"].split(b"-")[2] for each in server.received(name_of(queue), 3)
    ]
    spans = telemetry.matching(kind=PRODUCER)
    assert sorted(f"{span.context.span_id:016x}".encode() for span in spans) == sorted(arrived)
    assert {(span.attributes or {})[names.MESSAGING_MESSAGE_ID] for span in spans} == {
        each["MessageId"] for each in answer["Successful"]
    }
    assert entries == [{"Id": str(number), "MessageBody": "v"} for number in range(3)]
    assert all("MD5OfMessageAttributes" not in each for each in answer["Successful"])
    assert sent(telemetry) == 3


def test_a_refused_entry_fails_alone(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str]
) -> None:
    """The others of its batch were sent; of a batch that is refused as a whole each failed."""
    client = server.connect("sqs")
    good, bad = {"Id": "a", "MessageBody": "v"}, {"Id": "b", "MessageBody": "v"}
    answer = client.send_message_batch(**queue, Entries=[good, {**bad, "DelaySeconds": 5000}])
    with pytest.raises(client.exceptions.BatchEntryIdsNotDistinct):
        client.send_message_batch(**queue, Entries=[good, good])

    assert [each["Id"] for each in answer["Failed"]] == ["b"]
    assert sent(telemetry) == 4
    assert sent(telemetry, error_class="client_error") == 3


def test_a_queue_of_groups_keeps_their_order(telemetry: Telemetry, server: Sqs) -> None:
    """A FIFO queue's group is an id of the application's, and no label."""
    name = "orders.fifo"
    own = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    server.ask("create_queue", QueueName=name, Attributes=own)
    queue, client = {"QueueUrl": server.queue(name)}, server.connect("sqs")
    for number in range(3):
        client.send_message(**queue, MessageBody=str(number), MessageGroupId="order 17")
    bodies = []
    for message in client.receive_message(**queue, MaxNumberOfMessages=10)["Messages"]:
        bodies.append(message["Body"])
        client.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])

    assert bodies == ["0", "1", "2"]
    labels = [
        label for each in telemetry.points(names.HOP_DURATION) for label in each.labels.items()
    ]
    assert not any("17" in str(value) for _, value in labels)
    assert (sent(telemetry), handled(telemetry)) == (3, 3)


# -- SNS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_notification_continues_its_publishers_trace(
    telemetry: Telemetry, server: Sqs, queue: dict[str, str], raw: str
) -> None:
    """By attributes if it is delivered raw, else by those in its envelope."""
    with capture("setup"):
        sns = server.connect("sns")
        topic = sns.create_topic(Name=f"topic-{raw}")["TopicArn"]
        arn = f"arn:aws:sqs:eu-west-1:123456789012:{name_of(queue)}"
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": raw}
        )
    with capture("tested", integrations=["botocore"]) as telemetry:
        sns.publish(TopicArn=topic, Message="value")
        batch = [{"Id": "1", "Message": "value"}]
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
        answer = server.connect("sqs").receive_message(**queue, MaxNumberOfMessages=10)
        inside = []
        for message in answer["Messages"]:
            inside.append(trace_id())
            body = message["Body"]
            assert (body if raw == "true" else json.loads(body)["Message"]) == "value"

    published = telemetry.matching(kind=PRODUCER)
    assert sorted(inside) == sorted(span.context.trace_id for span in published)
    assert len(inside) == 2
    labels = {"transport": "aws.sns", "operation": f"send topic-{raw}"}
    assert sent(telemetry, **labels) == 2


def test_a_text_message_to_a_phone_is_no_hop(telemetry: Telemetry, server: Sqs) -> None:
    """Nor is any other call of AWS, of these services or of others."""
    server.connect("sns").publish(PhoneNumber="+15550100", Message="value")
    server.connect("sqs").list_queues()
    server.connect("sts").get_caller_identity()

    assert telemetry.spans == []


# -- beneath and beside ------------------------------------------------------------------------


def test_the_http_call_beneath_is_no_second_hop(server: Sqs, queue: dict[str, str]) -> None:
    """A send is one hop, an empty receive is none, whoever else watches urllib3."""
    with capture("tested", integrations=["botocore", "urllib3"]) as telemetry:
        client = server.connect("sqs")
        client.receive_message(**queue)
        client.send_message(**queue, MessageBody="v")
        server.connect("sts").get_caller_identity()

    kinds = [span.kind for span in telemetry.spans]
    assert kinds == [PRODUCER, SpanKind.CLIENT]  # the last is the other service's


async def test_the_awaited_http_call_beneath_is_no_second_hop(
    server: Sqs, queue: dict[str, str]
) -> None:
    """The same with aiobotocore, whose HTTP is aiohttp's."""
    with capture("tested", integrations=["aiobotocore", "aiohttp-client"]) as telemetry:
        async with get_session().create_client("sqs", **options(server.url, AioConfig)) as client:
            await client.receive_message(**queue)
            await client.send_message(**queue, MessageBody="v")

    assert [span.kind for span in telemetry.spans] == [PRODUCER]


async def test_a_cancelled_send_is_cancelled(server: Sqs, queue: dict[str, str]) -> None:
    """The awaiting task is cancelled as ever, and the hop has that class."""
    with capture("tested", integrations=["aiobotocore"]) as telemetry:
        async with get_session().create_client("sqs", **options(server.url, AioConfig)) as client:
            sending = asyncio.create_task(client.send_message(**queue, MessageBody="v"))
            await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

    assert sent(telemetry, error_class="cancelled") == 1


def test_a_resource_above_a_client_makes_one_hop(server: Sqs, queue: dict[str, str]) -> None:
    """boto3's integration and botocore's both at work see one send and one receipt."""
    with capture("tested", integrations=["boto3", "botocore"]) as telemetry:
        resource = boto3.resource("sqs", **options(server.url)).Queue(queue["QueueUrl"])
        resource.send_message(MessageBody="v")
        for message in resource.receive_messages():
            inside = trace_id()
            assert message.body == "v"
            assert message.message_attributes is None
            message.delete()

    assert inside == telemetry.span(kind=PRODUCER).context.trace_id
    assert (sent(telemetry), handled(telemetry)) == (1, 1)


def test_the_depth_of_a_queue_can_be_watched(server: Sqs, queue: dict[str, str]) -> None:
    """By a function of the application's, as it costs a request; it makes no hops."""
    client = server.connect("sqs")
    depth = "ApproximateNumberOfMessages"

    def waiting() -> float:
        answer = client.get_queue_attributes(**queue, AttributeNames=[depth])
        return float(answer["Attributes"][depth])

    server.deliver(name_of(queue), [])
    with (
        capture("tested", integrations=["botocore"], metric_interval=50.0) as telemetry,
        otel_kit.watch_queue(name_of(queue), depth=waiting, transport="aws_sqs"),
    ):
        until(lambda: telemetry.points(names.QUEUE_DEPTH, destination=name_of(queue)) != [])
        (point,) = telemetry.points(names.QUEUE_DEPTH, destination=name_of(queue))

    assert point.sum == 1
    assert telemetry.spans == []
