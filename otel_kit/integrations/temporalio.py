"""
temporalio: Temporal's own `TracingInterceptor`, which makes the spans; the kit makes none.

Give it to the client as its documentation says (`Client.connect(…, interceptors=[…])`).  Here it
gets the propagator of this process, so that starts, signals and activities carry the name of their
caller, and the bridge derives the same edges and error classes from its spans as from any others.
The saga is in the baggage, which the interceptor carries anyway (before 1.19 not into activities).

The workflow's side keeps its own propagator: it runs in a sandbox and sends nothing itself.
Temporal ends a workflow's span where it begins, since a replay must not end it twice: the edge
counts it, but its duration says nothing.  That of an activity does.
"""

from importlib import import_module
from typing import Any

from opentelemetry.propagate import get_global_textmap
from temporalio.contrib.opentelemetry import TracingInterceptor

from otel_kit.integrations._shape import Integration

_DEFAULT = import_module(TracingInterceptor.__module__).default_text_map_propagator
integration = Integration("temporalio", supports="temporalio>=1.19,<2")


@integration.observes("temporalio.contrib.opentelemetry:TracingInterceptor.__init__")
def made(interceptor: TracingInterceptor, _: Any) -> None:
    if interceptor.text_map_propagator is _DEFAULT:  # nobody chose another
        interceptor.text_map_propagator = get_global_textmap()
