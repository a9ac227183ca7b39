"""
Django: `WSGIHandler.__call__` and `ASGIHandler.__call__`, outside the middlewares.

Patched on the classes, so that handlers made before `instrument()` are seen as well, and no setting
is read or changed.  Views, sync or async, are known by their request only, which has the server's
environ or scope, whatever thread they run in: in `resolve_request` the route is known, in
`handle_uncaught_exception` the exception for which Django answers 500.  The signal for it,
`got_request_exception`, does not hand the exception over.

`DjangoInstrumentor` puts a middleware into the settings, and configures them if nobody has: it is
activated where Django reads them, at the first `load_middleware`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from otel_kit.hops.http import template
from otel_kit.integrations import _asgi, _wsgi
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "django",
    supports="django>=4.2,<7",
    contrib=("opentelemetry.instrumentation.django:DjangoInstrumentor",),
    contrib_before="django.core.handlers.base:BaseHandler.load_middleware",
)


@integration.wraps("django.core.handlers.wsgi:WSGIHandler.__call__")
def wsgi(wrapped: Any, handler: Any, args: Any, kwargs: Any) -> Any:
    return _wsgi.intercepted(integration._guarded, wrapped, handler, args, kwargs)


@integration.wraps("django.core.handlers.asgi:ASGIHandler.__call__")
def asgi(wrapped: Any, handler: Any, args: Any, kwargs: Any) -> Any:
    return _asgi.intercepted(integration._guarded, wrapped, handler, args, kwargs)


def resolving(resolve_request: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """In place of `resolve_request`: tells the route."""

    @wraps(resolve_request)
    def resolved(handler: Any, request: Any) -> Any:
        match = resolve_request(handler, request)
        integration._guarded(matched, request, match)
        return match

    return resolved


def matched(request: Any, match: Any) -> None:
    seen = _seen(request)
    if seen is not None and match.route is not None:
        seen.route = template(match.route)


@integration.asks("django.core.handlers.exception:handle_uncaught_exception")
def failed(call: Call) -> None:
    seen = _seen(call["request"])
    if seen is not None:
        _, seen.error, _ = call["exc_info"]


def _seen(request: Any) -> _wsgi.Seen | _asgi.Seen | None:
    """What is told of the request's hop; None if it has none, as one of Django's test client."""
    scope = getattr(request, "scope", None)
    found: _wsgi.Seen | _asgi.Seen | None
    found = request.META.get(_wsgi.SEEN) if scope is None else scope.get(_asgi.SEEN)
    return found


integration.replaces("django.core.handlers.base:BaseHandler.resolve_request", resolving)
