"""WSGI: one SERVER span a request, to the last part of its answer; shared by its frameworks.

An application returns an iterable, which the server reads after the application has returned: what
makes the parts runs within the span, and between two of them the server's own context is current.

What is measured is the caller's wait: to the last part.  The span goes on to the iterable's
`close()`, where frameworks run what is to come after the answer.  Server-sent events are counted; a
stream of them that is closed before its end is `cancelled`: its reader has hung up.
"""

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from otel_kit import names
from otel_kit.hops import ActiveHop, Hop, http_request, serve
from otel_kit.hops.event_stream import EventStream, event_stream
from otel_kit.hops.http import operation
from otel_kit.integrations import _foreign

Environ = dict[str, Any]
App = Callable[[Environ, Any], Any]
Guard = Callable[..., Any]
"""An integration's guard: calls a function, None if it fails."""

SEEN = "otel_kit.hop"
"""Key of the environ: this request has its hop already, of which a framework may tell more."""
_THEIRS = "OpenTelemetryMiddleware"
_DEEPEST = 20
"""Middlewares of an application that are looked at; a proxy may be endless."""


@dataclass(slots=True)
class Seen:
    """What a framework says of a request that is under way."""

    method: str
    route: str | None = None
    """The template of the matched path."""
    error: BaseException | None = None
    """The exception that it answers for."""
    whole: object = None
    """The iterable of an answer that is made already: no code of the application's is in it."""
    events: EventStream | None = None
    """The answer, if that is one."""

    def end(self, hop: ActiveHop, error: BaseException | None = None) -> None:
        """End the request's hop; `error` is what the server is about to see."""
        if self.route is not None:
            hop.routed(operation(self.method, self.route), {names.HTTP_ROUTE: self.route})
        hop.end(error or self.error)
        self.error = self.whole = self.events = None  # no cycle for the garbage collector


class EnvironHeaders(MutableMapping[str, str]):
    """The headers in an environ by lower-case name; those of one name are one list already."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def get(self, name: str, default: Any = None) -> Any:  # asked for what mostly is not there
        return self._environ.get(_key(name), default)

    def __getitem__(self, name: str) -> str:
        return str(self._environ[_key(name)])

    def __setitem__(self, name: str, value: str) -> None:
        self._environ[_key(name)] = value

    def __delitem__(self, name: str) -> None:
        del self._environ[_key(name)]

    def __iter__(self) -> Iterator[str]:
        found = (key[5:] for key in self._environ if key.startswith("HTTP_"))
        return (name.lower().replace("_", "-") for name in found)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=64)
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def request(environ: Environ) -> Hop:
    """The hop of an environ.  Its route is known only after routing."""
    _, _, version = environ.get("SERVER_PROTOCOL", "").partition("/")
    return http_request(
        _method(environ),
        carrier=EnvironHeaders(environ),
        scheme=environ.get("wsgi.url_scheme", "http"),
        path=_text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
        version=version or None,
    )


def _method(environ: Environ) -> str:
    return str(environ.get("REQUEST_METHOD", "GET"))


def _text(path: str) -> str:
    """An environ has bytes, written as if they were Latin-1."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode(errors="replace")


def intercepted(guard: Guard, wrapped: App, app: Any, args: Any, kwargs: Any) -> Any:
    """A call of a WSGI application; whatever does not fit is the application's to refuse."""
    try:
        environ, start_response = args if not kwargs else _bind(*args, **kwargs)
    except (TypeError, ValueError):
        return wrapped(*args, **kwargs)
    hop = guard(_described, app, environ)
    if hop is None:
        return wrapped(*args, **kwargs)
    return _traced(guard, hop, wrapped, environ, start_response)


def _bind(environ: Environ, start_response: Any) -> tuple[Environ, Any]:
    return environ, start_response


def _described(app: Any, environ: Environ) -> Hop | None:
    """The hop to make, None if somebody makes it already."""
    return None if SEEN in environ or _already_traced(app) else request(environ)


def _traced(guard: Guard, hop: Hop, proceed: App, environ: Environ, start_response: Any) -> Any:
    """Run `proceed` as the handler of one hop, which its answer may have to end."""
    environ[SEEN] = seen = Seen(_method(environ))
    with serve(hop) as active:
        try:
            result = proceed(environ, _answering(guard, active, seen, start_response))
        except BaseException as error:
            seen.end(active, error)
            raise
        if result is not seen.whole and not guard(_is_over, environ, result):
            return _Answer(active.defer(), result, seen)
        seen.end(active)
        return result


def _answering(guard: Guard, hop: ActiveHop, seen: Seen, start_response: Any) -> Any:
    def answering(status: str, headers: Any, *exc_info: Any, **named: Any) -> Any:
        if (reply := hop.reply()) is not None:
            headers = guard(_with_reply, headers, reply) or headers
        write = start_response(status, headers, *exc_info, **named)
        seen.events = guard(_answer, hop, status, headers)
        return write

    return answering


def _with_reply(headers: Any, reply: str) -> list[tuple[str, str]]:
    return [*headers, (names.SERVER_TIMING, reply)]


def _answer(hop: ActiveHop, status: str, headers: list[tuple[str, str]]) -> EventStream | None:
    """Note status and size; the answer, if it is an event stream."""
    hop.status(int(status[:3]))
    content_type, encoded = "", False
    for name, value in headers:
        if len(name) == 14 and name.lower() == "content-length" and value.isdigit():
            hop.note(names.HTTP_RESPONSE_BODY_SIZE, int(value))
        elif len(name) == 12 and name.lower() == "content-type":
            content_type = value
        elif len(name) == 16 and name.lower() == "content-encoding":
            encoded = True
    return event_stream(hop, content_type, encoded=encoded)


def _is_over(environ: Environ, result: Any) -> bool:
    """Whether no code of the application's is in the result.

    A list is sent as it is, and servers look at its length.  A file that the server sends by itself
    (`wsgi.file_wrapper`) is known to it by its very object.
    """
    if isinstance(result, (list, tuple)):
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is None:
        return False
    return isinstance(result, wrapper) if isinstance(wrapper, type) else hasattr(result, "read")


def _already_traced(app: Any) -> bool:
    """Whether OpenTelemetry's instrumentor or its middleware, within or around, traces the app."""
    if getattr(app, "_is_instrumented_by_opentelemetry", False) or _foreign.serves():
        return True
    return any(type(each).__name__ == _THEIRS for each in _middlewares(app))


def _middlewares(app: Any) -> Iterator[Any]:
    """Those that were put around `app.wsgi_app`, as Flask's documentation says."""
    inner = vars(app).get("wsgi_app")
    for _ in range(_DEEPEST):
        if inner is None:
            return
        yield inner
        inner = getattr(inner, "app", None) or getattr(inner, "wsgi_app", None)


class _Answer:
    """What the server reads: its parts are made within the hop, and their end is the hop's."""

    __slots__ = ("_hop", "_iterator", "_parts", "_seen")

    def __init__(self, hop: ActiveHop, parts: Iterable[bytes], seen: Seen) -> None:
        self._hop, self._parts, self._seen = hop, parts, seen
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._hop.resume()
        try:
            if self._iterator is None:
                self._iterator = iter(self._parts)
            part = next(self._iterator)
            if (events := self._seen.events) is not None:
                events.part(part)
            return part
        except StopIteration:
            self._hop.replied()
            if (events := self._seen.events) is not None:
                events.complete = True
            raise
        except BaseException as error:
            self._seen.end(self._hop, error)
            raise
        finally:
            self._hop.pause()

    def close(self) -> None:
        """The server is done, wherever it stopped."""
        self._hop.resume()
        try:
            if (close := getattr(self._parts, "close", None)) is not None:
                close()
        except BaseException as error:
            self._seen.end(self._hop, error)
            raise
        finally:
            self._hop.pause()
        self._stopped()

    def __del__(self) -> None:
        self._stopped()  # of a server, or a test's client, that did not close it

    def _stopped(self) -> None:
        cut = (events := self._seen.events) is not None and not events.complete
        self._seen.end(self._hop, CancelledError() if cut and not self._seen.error else None)
