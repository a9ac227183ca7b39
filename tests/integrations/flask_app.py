"""Flask applications."""

from collections.abc import Callable, Iterator

import flask
from flask import Blueprint, Flask, Response


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


def streaming(parts: Callable[[], Iterator[bytes]]) -> Flask:
    """An application whose answer is made in parts."""
    app = Flask("tested")
    app.get("/")(lambda: Response(parts()))
    return app
