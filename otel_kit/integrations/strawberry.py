"""
Strawberry: a GraphQL operation names the hop of the HTTP request that it came in.

All operations of a schema have one route, `POST /graphql`: which of them it was is what an operator
wants to see.  So there is no hop of its own, and none where nobody asks over HTTP, as in a test
that calls `schema.execute`, or over a WebSocket, whose hop is the connection.  One extension more,
by `Schema.get_extensions`, is the innermost: it sees the errors before `MaskErrors` does.  Of a
subscription whose results are the parts of one answer the last errors count.

An operation's name is the caller's to choose: the first `NAMES` of at most `LONGEST` characters are
labels.  Others, and operations without a name, are named by their type and root field.  Requests
for several operations at once keep the route's name if they differ.  No document is recorded.

A document that is refused, and a `GraphQLError` that a resolver raises, is `client_error`, and as
with a status of 4xx the span has not failed; of other exceptions the first that is the server's own
counts.  A value that a resolver returned and the schema's type refuses is `serialization`.

GraphQL's clients send HTTP requests: their hops are the HTTP client's, which does not see what an
answer of status 200 says.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

from graphql import FieldNode, GraphQLError, GraphQLSchema, get_operation_ast
from graphql.language import OperationDefinitionNode
from strawberry.extensions import SchemaExtension

from otel_kit import names
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops import ActiveHop
from otel_kit.hops.around import serving
from otel_kit.hops.http import CONVENTION
from otel_kit.hops.peers import Bounded
from otel_kit.integrations._shape import Integration

NAMES: Final = 200
LONGEST: Final = 64
_MANY: Final = 100
"""Errors of an answer that are looked at: a list may have one for each of its items."""
_INTROSPECTION: Final = ("__schema", "__type", "__typename")


class DocumentRefused(Exception):
    """What GraphQL says of a document, or its variables; without the document's text."""


class ValueRefused(Exception):
    """What GraphQL says of a value that a resolver returned."""


integration = Integration(
    "strawberry",
    supports="strawberry-graphql>=0.200,<1",
    errors={
        GraphQLError: ErrorClass.CLIENT_ERROR,
        DocumentRefused: ErrorClass.CLIENT_ERROR,
        ValueRefused: ErrorClass.SERIALIZATION,
    },
)

_names = Bounded(NAMES)
_within: ContextVar[bool] = ContextVar("otel_kit_graphql", default=False)
"""Whether an operation is under way: those that its resolvers execute are part of it."""


@integration.wraps("strawberry.schema.schema:Schema.get_extensions")
def extensions(wrapped: Any, schema: Any, args: Any, kwargs: Any) -> Any:
    return [*wrapped(*args, **kwargs), Operation()]


class Operation(SchemaExtension):
    """Tells the hop of the request about one operation, when it is over."""

    def __init__(self) -> None:
        """The execution's context is set afterwards, by every version."""

    def on_operation(self) -> Iterator[None]:
        hop = None if _within.get() else serving()
        if hop is None or hop.hop.convention is not CONVENTION:  # a WebSocket's connection
            yield
            return
        _within.set(True)
        try:
            yield
        except Exception as error:
            hop.tells(error)
            raise
        finally:
            _within.set(False)
            integration._guarded(_told, hop, self.execution_context)


def _told(hop: ActiveHop, context: Any) -> None:
    document = context.graphql_document
    if document is not None:
        asked = get_operation_ast(document, context.operation_name)
        if asked is not None:
            hop.performs(*named(asked, context.schema._schema))
    if errors := _errors(context):
        hop.tells(max(map(_reason, errors[:_MANY]), key=_severity))


def _errors(context: Any) -> list[GraphQLError]:
    """Those of the whole answer; `errors` is what old versions call them."""
    found = getattr(context, "pre_execution_errors", None) or getattr(context, "errors", None)
    return found or getattr(context.result, "errors", None) or []


def named(asked: OperationDefinitionNode, schema: GraphQLSchema) -> tuple[str, dict[str, str]]:
    """Name of the hop, and what its span says of the operation."""
    kind, name = asked.operation.value, asked.name.value if asked.name else ""
    attributes = {names.GRAPHQL_OPERATION_TYPE: kind}
    if name and len(name) <= LONGEST:
        attributes[names.GRAPHQL_OPERATION_NAME] = name
    known = len(name) <= LONGEST and _names(name) != names.OVERFLOW
    what = (known and name) or _root_field(asked, schema)
    return f"{kind} {what}" if what else kind, attributes


def _root_field(asked: OperationDefinitionNode, schema: GraphQLSchema) -> str | None:
    """The only one that is asked for; those of the schema are few."""
    selected = asked.selection_set.selections
    first, root = selected[0], schema.get_root_type(asked.operation)
    if len(selected) > 1 or not isinstance(first, FieldNode) or root is None:
        return None
    name = first.name.value
    return name if name in root.fields or name in _INTROSPECTION else None


def _reason(error: GraphQLError) -> Exception:
    """Why there is an entry in `errors`: what the application raised, if it did."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None:
        return DocumentRefused(error.message)
    if isinstance(original, GraphQLError) and _is_of_graphqls_types(original):
        return ValueRefused(error.message)
    return original


def _is_of_graphqls_types(error: GraphQLError) -> bool:
    """Whether it was raised where GraphQL's own types make a value of what a resolver returned."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return str(raised_in).startswith("graphql.type.")


def _severity(reason: Exception) -> int:
    """What the server got wrong goes before what it was asked to refuse."""
    found = classify(reason, ErrorClass.SERVER_ERROR)
    return {ErrorClass.CLIENT_ERROR: 0, ErrorClass.BUSINESS: 1}.get(found, 2)
