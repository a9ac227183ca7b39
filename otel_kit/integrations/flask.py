"""
Flask: `Flask.__call__`, outside the middlewares around `wsgi_app`.

Patched on the class, so that applications made before `instrument()` are seen as well.  A mounted
application within another is no second hop.  In `full_dispatch_request` the route is known, and the
exception for which Flask answers 500 when no handler of the application's is for it.
`Response.get_app_iter` says whether an answer is made already, so that its hop need not wait for
its `close()`: the client for tests does not call it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import request

from otel_kit.integrations._shape import Integration
from otel_kit.integrations._wsgi import SEEN, Environ, intercepted

integration = Integration(
    "flask",
    supports="flask>=2.2,<4",
    contrib=("opentelemetry.instrumentation.flask:FlaskInstrumentor",),
)


@integration.wraps("flask.app:Flask.__call__")  # not `flask:Flask`: FlaskInstrumentor replaces it
def application(wrapped: Any, app: Any, args: Any, kwargs: Any) -> Any:
    return intercepted(integration._guarded, wrapped, app, args, kwargs)


def dispatching(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """In place of `full_dispatch_request`: tells the route, and what the application raised."""

    @wraps(dispatch)
    def dispatched(app: Any, *args: Any) -> Any:
        seen = request.environ.get(SEEN)
        if seen is None:
            return dispatch(app, *args)
        rule = request.url_rule
        seen.route = None if rule is None else rule.rule
        try:
            return dispatch(app, *args)
        except Exception as error:
            seen.error = error
            raise

    return dispatched


def answering(get_app_iter: Callable[[Any, Environ], Any]) -> Callable[[Any, Environ], Any]:
    """In place of `get_app_iter`: tells which answer is a list, with nothing to do at its close."""

    @wraps(get_app_iter)
    def answered(response: Any, environ: Environ) -> Any:
        result = get_app_iter(response, environ)
        if (seen := environ.get(SEEN)) is not None and response.is_sequence:
            seen.whole = None if getattr(response, "_on_close", True) else result
        return result

    return answered


integration.replaces("flask.app:Flask.full_dispatch_request", dispatching)
integration.replaces("werkzeug.wrappers:Response.get_app_iter", answering)
