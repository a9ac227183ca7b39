"""Two views of a trace request that are quicker than its own message class.

Python pays for every field it touches, most of all for attributes.  Protobuf reads the same bytes
by other schemas as well: in `PACKED` a span is bytes, to be stored as they came; in `INDEXED` it
has only what is indexed, and its attributes are a map, to be looked up instead of gone through,
whose values are still encoded.
On the wire a map is just what OTLP's list of attributes is; of equal keys the last one stays.
Left out of the map is an attribute with more fields than key and value: traces have none.

These classes see less than ``ExportTraceServiceRequest``, which must have accepted the bytes.
"""

from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClassesForFiles
from opentelemetry.proto.trace.v1.trace_pb2 import DESCRIPTOR

_INDEXED: Final = frozenset(
    {
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "kind",
        "start_time_unix_nano",
        "end_time_unix_nano",
        "time_unix_nano",
        "attributes",
        "events",
        "status",
    }
)
"""Fields of a span or of one of its events."""


def _packed(file: FileDescriptorProto) -> None:
    (spans,) = (field for field in _message(file, "ScopeSpans").field if field.name == "spans")
    spans.type = FieldDescriptorProto.TYPE_BYTES
    spans.ClearField("type_name")


def _indexed(file: FileDescriptorProto) -> None:
    span = _message(file, "Span")
    (event,) = (message for message in span.nested_type if message.name == "Event")
    for message, name in ((span, "Span"), (event, "Span.Event")):
        fields = [field for field in message.field if field.name in _INDEXED]
        del message.field[:]
        message.field.extend(fields)
        _map_attributes(message, f".{file.package}.{name}")


def _map_attributes(message: DescriptorProto, full_name: str) -> None:
    (attributes,) = (field for field in message.field if field.name == "attributes")
    attributes.type_name = f"{full_name}.AttributesEntry"
    entry = message.nested_type.add(name="AttributesEntry")
    entry.options.map_entry = True
    one = FieldDescriptorProto.LABEL_OPTIONAL
    entry.field.add(name="key", number=1, label=one, type=FieldDescriptorProto.TYPE_STRING)
    entry.field.add(name="value", number=2, label=one, type=FieldDescriptorProto.TYPE_BYTES)


def _message(file: FileDescriptorProto, name: str) -> DescriptorProto:
    (found,) = (message for message in file.message_type if message.name == name)
    return found


def _view(name: str, change: Any) -> Any:
    """The class of TracesData, which on the wire is a request, by a changed copy of OTLP's file."""
    original, package = FileDescriptorProto(), f"otel_kit.{name}"
    DESCRIPTOR.CopyToProto(original)
    renamed = text_format.MessageToString(original).replace(DESCRIPTOR.package, package)
    file = text_format.Parse(renamed, FileDescriptorProto())
    file.name = f"otel_kit/{name}.proto"
    change(file)
    Default().Add(file)
    return GetMessageClassesForFiles([file.name], Default())[f"{package}.TracesData"]


PACKED: Final = _view("packed", _packed)
INDEXED: Final = _view("indexed", _indexed)
