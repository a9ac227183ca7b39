"""Flask, served by werkzeug."""

from typing import Any

import flask

from otel_kit.hops.event_stream import TYPE
from otel_kit.testing.contract.base import Behaviour
from otel_kit.testing.contract.http_peer import STATUS
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
        if behaviour in (Behaviour.EVENTS, Behaviour.ENDLESS):
            return flask.Response(self.events(behaviour), mimetype=TYPE)
        return "ok", STATUS[Behaviour(behaviour)]
