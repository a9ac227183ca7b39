"""What a WSGI server and middlewares get: answers in parts, files, `start_response`."""

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import flask
import pytest
from flask import Flask, Response
from opentelemetry.context import get_current
from opentelemetry.trace import SpanKind, StatusCode
from werkzeug.test import create_environ

from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.integrations.flask_app import application, streaming
from tests.integrations.wsgi_calls import called, current, get

SERVER = SpanKind.SERVER
Start = Callable[..., Any]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What is recorded of the service `tested`."""
    with capture("tested", integrations=["flask"]) as telemetry:
        yield telemetry


def test_parts_are_made_within_the_span_and_the_server_is_not(telemetry: Telemetry) -> None:
    """Spans of a part are the hop's children; between two parts the server has its own context."""
    tracer = telemetry.tracer_provider.get_tracer("app")

    def parts() -> Iterator[bytes]:
        for number in range(3):
            with tracer.start_as_current_span(f"part {number}"):
                pass
            yield b"part"

    before = get_current()
    answer = called(streaming(parts))
    for _ in answer:
        assert get_current() is before
        assert telemetry.matching(kind=SERVER) == []
    answer.close()

    assert get_current() is before
    hop = telemetry.span(kind=SERVER)
    inner = telemetry.matching(kind=SpanKind.INTERNAL)
    assert [span.parent and span.parent.span_id for span in inner] == [hop.context.span_id] * 3


def test_what_a_generator_leaves_current_is_current_in_its_next_part(telemetry: Telemetry) -> None:
    """A span that a generator holds open between its parts is its own, and nobody else's."""
    tracer, seen = telemetry.tracer_provider.get_tracer("app"), list[int]()

    def parts() -> Iterator[bytes]:
        with tracer.start_as_current_span("all parts"):
            for _ in range(2):
                seen.append(current())
                yield b"part"

    answer = called(streaming(parts))
    for _ in answer:
        assert current() == 0
    answer.close()

    assert set(seen) == {telemetry.span("all parts").context.span_id}


def test_parts_may_be_made_in_another_thread(telemetry: Telemetry) -> None:
    """A server may read the answer elsewhere than it called the application."""
    seen: list[int] = []

    def parts() -> Iterator[bytes]:
        seen.append(current())
        yield b"part"

    answer = called(streaming(parts))

    def read() -> None:
        assert b"".join(answer) == b"part"
        answer.close()
        assert current() == 0

    reading = threading.Thread(target=read)
    reading.start()
    reading.join()

    assert seen == [telemetry.span(kind=SERVER).context.span_id]


def test_the_wait_ends_with_the_last_part_and_the_span_with_close(telemetry: Telemetry) -> None:
    """What Flask does after the answer is in the span, and is none of the caller's wait."""
    app, after = streaming(lambda: iter([b"part"])), list[int]()

    @app.after_request
    def later(response: Response) -> Response:
        response.call_on_close(lambda: after.append(current()))
        return response

    answer = called(app)
    assert b"".join(answer) == b"part"
    assert telemetry.spans == []
    answer.close()

    span = telemetry.span(kind=SERVER)
    assert after == [span.context.span_id]
    (point,) = telemetry.points(names.HOP_DURATION)
    assert span.end_time is not None
    assert span.start_time is not None
    assert point.sum <= (span.end_time - span.start_time) / 1e9


def test_work_after_an_answer_that_is_whole_is_within_its_span(telemetry: Telemetry) -> None:
    """`call_on_close` on an answer of one piece has the hop's context too."""
    app, after = Flask("tested"), list[int]()

    @app.get("/")
    def answer() -> Response:
        response = Response("ok")
        response.call_on_close(lambda: after.append(current()))
        return response

    get(app, "/")

    assert after == [telemetry.span(kind=SERVER).context.span_id]


@pytest.mark.parametrize("read", [0, 1])
def test_an_answer_that_is_closed_early_ends_its_hop(telemetry: Telemetry, read: int) -> None:
    """A caller that hangs up, before the first part or after it, leaves no span without end."""
    closed: list[bool] = []

    def parts() -> Iterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    answer = called(streaming(parts))
    for _ in range(read):
        next(answer)
    answer.close()
    answer.close()

    assert telemetry.span(kind=SERVER).status.status_code is StatusCode.UNSET
    assert telemetry.count(names.HOP_DURATION) == 1
    assert closed == [True] * read
    assert current() == 0


def test_an_answer_that_is_dropped_ends_its_hop(telemetry: Telemetry) -> None:
    """A middleware that reads without closing loses nothing of the telemetry."""
    app = streaming(lambda: iter([b"part"]))

    assert [list(called(app))] == [[b"part"]]
    assert telemetry.count(names.HOP_DURATION) == 1


@pytest.mark.parametrize("fails", ["a part", "close"])
def test_an_error_in_the_middle_of_an_answer_is_the_hops(telemetry: Telemetry, fails: str) -> None:
    """The server gets the very exception, and the hop failed though its status says 200."""
    raised = ValueError("on purpose")

    def fail() -> None:
        raise raised

    def parts() -> Iterator[bytes]:
        yield b"part"
        if fails == "a part":
            fail()

    app = streaming(parts)
    if fails == "close":

        @app.after_request
        def later(response: Response) -> Response:
            response.call_on_close(fail)
            return response

    answer = called(app)
    assert next(answer) == b"part"
    with pytest.raises(ValueError, match="on purpose") as caught:
        next(answer, None) if fails == "a part" else answer.close()

    assert caught.value is raised
    assert telemetry.count(names.HOP_DURATION, error_class="server_error") == 1
    assert len(telemetry.span(kind=SERVER).events) == 1
    assert current() == 0


def test_a_servers_own_file_wrapper_gets_its_very_object(telemetry: Telemetry) -> None:
    """A server that sends files by itself knows them by the object that its wrapper made."""
    app = Flask("tested")
    app.get("/")(lambda: flask.send_file(io.BytesIO(b"file"), mimetype="text/plain"))
    answer = called(app, **{"wsgi.file_wrapper": FileWrapper})

    assert type(answer) is FileWrapper
    assert b"".join(answer) == b"file"
    assert telemetry.count(names.HOP_DURATION) == 1


def test_a_wrapper_that_is_no_class_gets_the_file_itself(telemetry: Telemetry) -> None:
    """Some servers' wrapper is a function that remembers the file and returns it."""
    app, wrapped = Flask("tested"), list[object]()
    app.get("/")(lambda: flask.send_file(io.BytesIO(b"file"), mimetype="text/plain"))

    def wrap(file: object, size: int = 0) -> object:
        wrapped.append(file)
        return file

    assert called(app, **{"wsgi.file_wrapper": wrap}) is wrapped[0]
    assert telemetry.count(names.HOP_DURATION) == 1


def test_a_file_without_a_servers_wrapper_is_read_within_the_hop(telemetry: Telemetry) -> None:
    """Werkzeug's own wrapper is code of the application's."""
    app = Flask("tested")
    app.get("/")(lambda: flask.send_file(io.BytesIO(b"file"), mimetype="text/plain"))

    assert get(app, "/")[2] == b"file"
    assert telemetry.count(names.HOP_DURATION) == 1


def test_a_list_stays_a_list(telemetry: Telemetry) -> None:
    """Servers look at its length, and its hop has ended."""
    app, parts = Flask("tested"), [b"part"]

    def bare(environ: Any, start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        return parts

    app.wsgi_app = bare  # type: ignore[assignment, method-assign]

    assert called(app) is parts
    assert telemetry.span(kind=SERVER).name == "GET"


def test_start_response_is_the_servers(telemetry: Telemetry) -> None:
    """Its `write` is returned, `exc_info` arrives, and the answer's last status is the hop's."""
    started: list[tuple[Any, ...]] = []
    failure = (ValueError, ValueError("on purpose"), None)

    def write(data: bytes) -> None: ...

    def start_response(*args: Any) -> Any:
        started.append(args)
        return write

    def bare(environ: Any, start: Start) -> list[bytes]:
        assert start("200 OK", [("x-own", "1")]) is write
        assert start("500 Oh", [("x-own", "2")], failure) is write
        return []

    app = Flask("tested")
    app.wsgi_app = bare  # type: ignore[assignment, method-assign]
    app(create_environ("/"), start_response)

    assert started == [("200 OK", [("x-own", "1")]), ("500 Oh", [("x-own", "2")], failure)]
    assert telemetry.count(names.HOP_DURATION, error_class="server_error") == 1


def test_a_refusal_of_the_server_reaches_the_application(telemetry: Telemetry) -> None:
    """An answer that cannot be taken back is raised for, and the caller has the first status."""

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        if exc_info:
            raise exc_info[1]

    def bare(environ: Any, start: Start) -> list[bytes]:
        start("200 OK", [])
        start("500 Oh", [], (ValueError, ValueError("on purpose"), None))
        return []

    app = Flask("tested")
    app.wsgi_app = bare  # type: ignore[assignment, method-assign]
    with pytest.raises(ValueError, match="on purpose"):
        app(create_environ("/"), start_response)

    span = telemetry.span(kind=SERVER)
    assert (span.attributes or {})[names.HTTP_RESPONSE_STATUS_CODE] == 200


def test_a_middleware_that_replaces_a_whole_answer_is_within_the_hop(telemetry: Telemetry) -> None:
    """What it makes of the answer, in parts, is made within the span."""
    seen: list[int] = []
    app = application()
    inner = app.wsgi_app

    def shouting(environ: Any, start_response: Start) -> Iterator[bytes]:
        for part in inner(environ, start_response):
            seen.append(current())
            yield part.upper()

    app.wsgi_app = shouting  # type: ignore[assignment, method-assign]
    assert get(app, "/orders/7")[2] == b"ORDER 7"

    assert seen == [telemetry.span(kind=SERVER).context.span_id]
    assert telemetry.span(kind=SERVER).name == "GET /orders/<int:order>"
