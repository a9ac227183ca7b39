"""Flask, served by werkzeug."""

from typing import Any

import flask

from tests.contract.harness.base import Behaviour
from tests.contract.harness.peer import STATUS
from tests.contract.harness.wsgi import WsgiHarness


class Flask(WsgiHarness):
    library = "flask"
    operation = "GET /do/<behaviour>"

    def application(self) -> Any:
        app = flask.Flask("tested")
        app.get("/do/<behaviour>")(self.handle)
        return app

    def handle(self, behaviour: str) -> Any:
        self.asked(behaviour, flask.request.headers, flask.request.environ)
        if behaviour == Behaviour.STREAMS:
            return self.parts()
        return "ok", STATUS[Behaviour(behaviour)]
