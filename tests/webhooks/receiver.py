"""A receiver of webhooks: Flask, served by werkzeug, with the package of Standard Webhooks."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import flask
import requests
import werkzeug.datastructures
import werkzeug.serving
from standardwebhooks import Webhook, WebhookVerificationError

BODY = b'{"type":"order.paid","data":{"id":7}}'
WEBHOOK = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


@contextmanager
def served(handle: Callable[[Mapping[str, str]], None]) -> Iterator[str]:
    """The address of a Flask application that verifies what comes, and lets `handle` have it."""
    app = flask.Flask("receiver")

    @app.post("/hooks")
    def hooks() -> tuple[str, int]:
        try:
            WEBHOOK.verify(flask.request.get_data(), dict(flask.request.headers))
        except WebhookVerificationError:
            return "", 401
        handle(flask.request.headers)
        return "", 204

    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(url: str, headers: Mapping[str, str], id: str = "evt-1") -> requests.Response:  # noqa: A002
    """Sign as Standard Webhooks has it, and send."""
    now = datetime.now(UTC)
    signed = {
        **headers,
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": WEBHOOK.sign(id, now, BODY.decode()),
    }
    return requests.post(url, data=BODY, headers=signed, timeout=10)
