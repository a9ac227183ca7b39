"""What a WSGI server does with an application."""

from typing import Any

from opentelemetry import trace
from werkzeug.test import create_environ, run_wsgi_app


def get(app: Any, path: str, **options: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """One request, read to its end and closed as a server does it."""
    parts, status, headers = run_wsgi_app(app, create_environ(path, **options), buffered=True)
    return status, list(headers), b"".join(parts)


def called(app: Any, path: str = "/", **environ: Any) -> Any:
    """What the application returns to its server."""
    found = create_environ(path)
    return app(found | environ, lambda status, headers, exc_info=None: lambda data: None)


def current() -> int:
    return trace.get_current_span().get_span_context().span_id
