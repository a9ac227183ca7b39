"""What SQS and SNS say, and the quiet beneath their clients."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from typing import Any

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # the key every OpenTelemetry exporter sets
    attach,
    detach,
    get_value,
    set_value,
)

SQS, SNS = "aws_sqs", "aws.sns"
Steps = Generator[Any, Any, Any]
"""Yields what to call with, is sent the answer or thrown the error, and returns the answer."""


def destination(params: Mapping[str, Any]) -> tuple[str, str]:
    """A queue's or a topic's name; none of a phone or a device, which is somebody's."""
    if "QueueUrl" in params:
        return SQS, str(params["QueueUrl"]).rstrip("/").rpartition("/")[2]
    arn = str(params.get("TopicArn") or params.get("TargetArn") or "")
    return SNS, "" if "/" in arn else arn.rpartition(":")[2]


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


@contextmanager
def quiet() -> Iterator[None]:
    """The HTTP request below is the hop's own."""
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        detach(token)


def is_quiet() -> bool:
    """Whether somebody above wants no hops."""
    return bool(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
