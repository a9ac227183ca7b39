"""GraphQL, as the servers made of graphql-core have it: what an operation is called, why it failed.

An operation's name is the caller's to choose: the first `NAMES` of at most `LONGEST` characters are
labels.  Others, and operations without a name, are named by their type and their only root field,
or by their type alone.

A document that is refused, and a `GraphQLError` that a resolver raises, is `client_error`.  Other
exceptions are what they are, and a value that a resolver returned and the schema's type refuses is
`serialization`.  Of several errors the first that is the server's own counts.
"""

from collections.abc import Sequence
from typing import Final

from graphql import FieldNode, GraphQLError, GraphQLSchema
from graphql.language import OperationDefinitionNode

from otel_kit import names
from otel_kit.errors import ErrorClass, classify
from otel_kit.hops.peers import Bounded

NAMES: Final = 200
LONGEST: Final = 64
_MANY: Final = 100
"""Errors of an answer that are looked at: a list may have one for each of its items."""
_INTROSPECTION: Final = ("__schema", "__type", "__typename")
_names = Bounded(NAMES)


class DocumentRefused(Exception):
    """What GraphQL says of a document, or its variables; without the document's text."""


class ValueRefused(Exception):
    """What GraphQL says of a value that a resolver returned."""


ERRORS: Final[dict[type[BaseException], ErrorClass]] = {
    GraphQLError: ErrorClass.CLIENT_ERROR,
    DocumentRefused: ErrorClass.CLIENT_ERROR,
    ValueRefused: ErrorClass.SERIALIZATION,
}


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


def worst(errors: Sequence[GraphQLError]) -> Exception:
    """Why an answer has errors."""
    return max(map(_reason, errors[:_MANY]), key=_severity)


def _reason(error: GraphQLError) -> Exception:
    """What the application raised, if it did."""
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
