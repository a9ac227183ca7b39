"""What is peculiar to Flask: routes, mounted applications, errors; who else instruments it."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from opentelemetry.context import attach, get_current, set_value
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.trace import SpanKind, StatusCode
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import from_kit
from tests.integrations.flask_app import application, streaming
from tests.integrations.wsgi_calls import current, get

SERVER = SpanKind.SERVER


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What is recorded of the service `tested`."""
    with capture("tested", integrations=["flask"]) as telemetry:
        yield telemetry


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/orders/7", "GET /orders/<int:order>"),
        ("POST", "/orders/7", "POST /orders/<int:order>"),
        ("GET", "/shop/shoe/", "GET /shop/<name>/"),
        ("GET", "/static/no/such.css", "GET /static/<path:filename>"),
        ("HEAD", "/orders/7", "HEAD /orders/<int:order>"),
        ("GET", "/shop/shoe", "GET"),  # redirected to the one with a slash
        ("GET", "/orders/seven", "GET"),
        ("DELETE", "/orders/7", "DELETE"),
        ("BREW", "/nowhere", "HTTP"),
    ],
)
def test_the_operation_is_the_rule_that_matched(
    telemetry: Telemetry, method: str, path: str, operation: str
) -> None:
    """With the blueprint's prefix; ids, and paths that nobody serves, are in no name."""
    get(application(), path, method=method)

    assert telemetry.span(kind=SERVER).name == operation


def test_a_mounted_application_is_one_hop(telemetry: Telemetry) -> None:
    """The application that answers knows the route."""
    outer = Flask("outer")
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/v1": application()})  # type: ignore[method-assign]
    get(outer, "/v1/orders/7")

    span = telemetry.span(kind=SERVER)
    assert span.name == "GET /orders/<int:order>"
    assert (span.attributes or {})[names.URL_PATH] == "/v1/orders/7"


def test_the_path_is_text_and_the_query_is_not_recorded(telemetry: Telemetry) -> None:
    """Servers hand over bytes as if they were Latin-1; secrets are in the query."""
    get(application(), "/shop/größe/?token=secret")

    found = dict(telemetry.span(kind=SERVER).attributes or {})
    assert found[names.URL_PATH] == "/shop/größe/"
    assert found[names.NETWORK_PROTOCOL_VERSION] == "1.1"
    assert "secret" not in str(found)


def test_an_application_made_and_wrapped_before_is_seen() -> None:
    """Neither the order of instrument() and of making it matters, nor its middlewares."""
    app = application()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    with capture(integrations=["flask"]) as telemetry:
        get(app, "/orders/7")

    assert telemetry.span(kind=SERVER).name == "GET /orders/<int:order>"


@pytest.mark.parametrize(
    "path", ["/orders/7", "/shop/shoe", "/nowhere", "/raises", "/handled", "/aborts/503"]
)
def test_the_answer_is_what_it_would_be_without_the_kit(path: str) -> None:
    """Status, headers and body, for who does not know the kit; for who does, one header more."""
    app = application()
    without = get(app, path)
    with capture(integrations=["flask"]):
        within = get(app, path)
        status, headers, body = get(app, path, headers=from_kit("web"))

    assert within == without
    assert (status, body) == (without[0], without[2])
    assert headers[:-1] == without[1]
    assert headers[-1][0] == names.SERVER_TIMING


@pytest.mark.parametrize(
    ("path", "status", "error_class", "recorded"),
    [
        ("/raises", 500, "server_error", ["ValueError"]),
        ("/handled", 409, "client_error", []),
        ("/aborts/404", 404, "client_error", []),
        ("/aborts/500", 500, "server_error", []),
        ("/aborts/503", 503, "unavailable", []),
    ],
)
def test_an_exception_is_the_hops_only_if_nobody_handled_it(
    telemetry: Telemetry, path: str, status: int, error_class: str, recorded: list[str]
) -> None:
    """What a handler of the application's made an answer of is that answer, and no more."""
    get(application(), path)

    span: Any = telemetry.span(kind=SERVER)
    assert span.attributes[names.HTTP_RESPONSE_STATUS_CODE] == status
    assert [event.attributes["exception.type"] for event in span.events] == recorded
    assert telemetry.count(names.HOP_DURATION, error_class=error_class) == 1


def test_an_exception_that_leaves_the_application_is_recorded_once(telemetry: Telemetry) -> None:
    """Where Flask lets it through, the server gets the very exception, and the route is known."""
    app = application()
    app.testing = True
    with pytest.raises(ValueError, match="on purpose"):
        get(app, "/raises")

    span = telemetry.span(kind=SERVER)
    assert (span.name, len(span.events)) == ("GET /raises", 1)
    assert span.status.status_code is StatusCode.ERROR


def test_a_worker_that_is_told_to_exit_ends_its_hop(telemetry: Telemetry) -> None:
    """Servers end a worker that takes too long by SystemExit in the handler."""
    app = Flask("tested")

    @app.get("/slow/<order>")
    def slow(order: str) -> str:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        get(app, "/slow/7")

    assert telemetry.span(kind=SERVER).name == "GET /slow/<order>"
    assert current() == 0


def test_an_error_handlers_own_answer_is_the_status(telemetry: Telemetry) -> None:
    """An application that answers 503 for whatever it did not expect is unavailable."""
    app = application()
    app.register_error_handler(500, lambda error: ("later", 503))
    get(app, "/raises")

    span: Any = telemetry.span(kind=SERVER)
    assert span.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 503
    assert telemetry.count(names.HOP_DURATION, error_class="unavailable") == 1
    assert len(span.events) == 1


def test_one_requests_response_size_never_shows_up_on_another(telemetry: Telemetry) -> None:
    """A streamed answer after one of known size has no size of its own."""
    app = streaming(lambda: iter([b"x" * 99]))
    app.get("/ok", endpoint="ok")(lambda: "ok")
    for path in ("/ok", "/"):
        get(app, path)

    sizes = [(span.attributes or {}).get(names.HTTP_RESPONSE_BODY_SIZE) for span in telemetry.spans]
    assert sizes == [2, None]


def test_an_answer_that_nobody_reads_has_its_hop(telemetry: Telemetry) -> None:
    """Flask's client for tests neither reads nor closes an answer that it is not asked for."""
    answer = application().test_client().get("/orders/7")

    assert telemetry.span(kind=SERVER).name == "GET /orders/<int:order>"
    assert answer.text == "order 7"


def scopes(telemetry: Telemetry) -> list[str]:
    spans = telemetry.matching(kind=SERVER)
    return [span.instrumentation_scope.name for span in spans if span.instrumentation_scope]


def test_an_application_that_contrib_instruments_keeps_its_span(telemetry: Telemetry) -> None:
    """`FlaskInstrumentor().instrument_app(app)` is for one application; the others are ours."""
    app = application()
    FlaskInstrumentor().instrument_app(app, tracer_provider=telemetry.tracer_provider)
    get(app, "/orders/7")
    get(application(), "/orders/7")

    assert scopes(telemetry) == ["opentelemetry.instrumentation.flask", names.SCOPE]
    assert telemetry.count(names.HOP_DURATION, operation="GET /orders/<int:order>") == 2


@pytest.mark.parametrize("where", ["within", "below another", "around"])
def test_contribs_middleware_keeps_its_span(telemetry: Telemetry, where: str) -> None:
    """OpenTelemetry's WSGI middleware makes the span, wherever the application has put it."""
    app: Any = application()

    def traced(inner: Any) -> Any:
        return OpenTelemetryMiddleware(inner, tracer_provider=telemetry.tracer_provider)

    if where == "around":
        app = traced(app)
    else:
        app.wsgi_app = traced(app.wsgi_app)
    if where == "below another":
        app.wsgi_app = ProxyFix(app.wsgi_app)
    get(app, "/orders/7")

    assert scopes(telemetry) == ["opentelemetry.instrumentation.wsgi"]
    assert telemetry.count(names.HOP_DURATION) == 1


def test_what_a_view_leaves_in_the_context_is_gone_after_the_request(telemetry: Telemetry) -> None:
    """A thread's next request begins in the thread's own context."""
    app = Flask("tested")

    @app.get("/")
    def untidy() -> str:
        attach(set_value("left", 1))
        return "ok"

    before = get_current()
    get(app, "/")

    assert get_current() is before


def test_a_call_that_is_no_request_is_the_applications_to_refuse() -> None:
    """The TypeError is the application's own."""
    app: Any = Flask("tested")
    with pytest.raises(TypeError) as without:
        app()
    with capture(integrations=["flask"]), pytest.raises(TypeError) as within:
        app()

    assert str(without.value) == str(within.value)
