"""
Strawberry: a GraphQL operation names the hop of the HTTP request that it came in.

All operations of a schema have one route, `POST /graphql`: which of them it was is what an operator
wants to see.  So there is no hop of its own, and none where nobody asks over HTTP, as in a test
that calls `schema.execute`, or over a WebSocket, whose hop is its handshake.

Each execution has one of Strawberry's extensions more, the innermost: it sees the errors before
`MaskErrors` does.  It is added where an execution begins, as some versions keep what
`Schema.get_extensions` returned for the next.

An answer of status 200 that has errors has failed as if the handler had raised what the resolver
did; what was the caller's mistake is, as with a status of 4xx, no failure of the span.  Of a
subscription whose results are the parts of one answer the last errors count; what `@defer` brings
later is not looked at.  Requests for several operations at once keep the route's name if they
differ.  No document is recorded, and no variable.

GraphQL's clients send HTTP requests: their hops are the HTTP client's, which does not see what an
answer of status 200 says.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from graphql import GraphQLError, get_operation_ast
from strawberry.extensions import SchemaExtension

from otel_kit.hops import ActiveHop
from otel_kit.hops.around import serving
from otel_kit.hops.http import CONVENTION
from otel_kit.integrations._graphql import ERRORS, named, worst
from otel_kit.integrations._shape import Integration

integration = Integration("strawberry", supports="strawberry-graphql>=0.200,<1", errors=ERRORS)

_within: ContextVar[bool] = ContextVar("otel_kit_graphql", default=False)
"""Whether an operation is under way: those that its resolvers execute are part of it."""


@integration.observes("strawberry.extensions.runner:SchemaExtensionsRunner.__init__")
def begins(runner: Any, result: None) -> None:
    hop = serving()
    if hop is not None and hop.hop.convention is CONVENTION and not _within.get():
        runner.extensions = [*runner.extensions, Operation(hop, runner.execution_context)]


class Operation(SchemaExtension):
    """Tells the hop of the request about one operation, when it is over."""

    def __init__(self, hop: ActiveHop, execution_context: Any) -> None:
        self._hop = hop
        self.execution_context = execution_context

    def on_operation(self) -> Iterator[None]:
        _within.set(True)
        try:
            yield
        except Exception as error:
            self._hop.tells(error)
            raise
        finally:
            _within.set(False)
            integration._guarded(_told, self._hop, self.execution_context)


def _told(hop: ActiveHop, context: Any) -> None:
    document = context.graphql_document
    asked = document and get_operation_ast(document, context.operation_name)
    if asked is not None:
        hop.performs(*named(asked, context.schema._schema))
    if errors := _errors(context):
        hop.tells(worst(errors))


def _errors(context: Any) -> list[GraphQLError]:
    """Those of the whole answer; `errors` is what old versions call them."""
    found = getattr(context, "pre_execution_errors", None) or getattr(context, "errors", None)
    return found or getattr(context.result, "errors", None) or []
