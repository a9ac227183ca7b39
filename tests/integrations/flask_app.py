"""Flask applications, and what a WSGI server does with them."""

from collections.abc import Callable, Iterator
from typing import Any

import flask
from flask import Blueprint, Flask, Response
from opentelemetry import trace
from werkzeug.test import create_environ, run_wsgi_app


class OutOfStock(Exception):
    """An exception that the application handles."""


def application() -> Flask:
    """An application with routes of many kinds."""
    app, shop = Flask("tested"), Blueprint("shop", __name__, url_prefix="/shop")

    @app.route("/orders/<int:order>", methods=["GET", "POST"])
    def order(order: int) -> str:
        return f"order {order}"

    @shop.get("/<name>/")
    def item(name: str) -> str:
        return name

    @app.get("/raises")
    def raises() -> str:
        raise ValueError("on purpose")

    @app.get("/handled")
    def handled() -> str:
        raise OutOfStock

    @app.get("/aborts/<int:status>")
    def aborts(status: int) -> str:
        flask.abort(status)

    @app.errorhandler(OutOfStock)
    def out_of_stock(error: OutOfStock) -> tuple[str, int]:
        return "out of stock", 409

    app.register_blueprint(shop)
    return app


def get(app: Any, path: str, **options: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """One request, read to its end and closed as a server does it."""
    parts, status, headers = run_wsgi_app(app, create_environ(path, **options), buffered=True)
    return status, list(headers), b"".join(parts)


def called(app: Any, path: str = "/", **environ: Any) -> Any:
    """What the application returns to its server."""
    found = create_environ(path)
    return app(found | environ, lambda status, headers, exc_info=None: lambda data: None)


def streaming(parts: Callable[[], Iterator[bytes]]) -> Flask:
    """An application whose answer is made in parts."""
    app = Flask("tested")
    app.get("/")(lambda: Response(parts()))
    return app


def current() -> int:
    return trace.get_current_span().get_span_context().span_id
