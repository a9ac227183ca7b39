"""
urllib3: `PoolManager.urlopen` and `HTTPConnectionPool.urlopen`.

Every way to make a request ends in the latter, also that of requests and botocore.  One call of the
application's is one hop, with its redirects and its retries, whose own calls make none: a manager
follows redirects by asking several pools, a pool by asking itself.  So does a call that requests
makes for its own hop.  The hop goes to the origin, whatever proxy is between.  The headers go into
a copy of the mapping that the caller passed, or of the pool's own.

A streamed response's hop (`preload_content=False`) ends with its headers: how long it is read, and
whether that fails, is not measured, as nobody need ever close it.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final
from urllib.parse import urljoin

from urllib3 import exceptions
from urllib3.connection import port_by_scheme

from otel_kit import names
from otel_kit.errors import ErrorClass, classify, classify_http
from otel_kit.hops import ActiveHop, Hop
from otel_kit.hops.carriers import Mapped
from otel_kit.integrations._http_client import address, asked
from otel_kit.integrations._shape import Call, Integration


def by_reason(error: exceptions.MaxRetryError) -> ErrorClass | None:
    """The class of what failed last: an attempt, or what an answer said."""
    if (status := _last_status(error)) is not None:
        return classify_http(status)
    return classify(error.reason, ErrorClass.CONNECTION) if error.reason else None


def _last_status(error: exceptions.MaxRetryError) -> int | None:
    """It is nowhere but in the text: `too many 503 error responses`."""
    if not isinstance(error.reason, exceptions.ResponseError):
        return None
    return next((int(word) for word in str(error.reason).split() if word.isdecimal()), None)


integration = Integration(
    "urllib3",
    supports="urllib3>=1.26,<3",
    contrib=("opentelemetry.instrumentation.urllib3:URLLib3Instrumentor",),
    errors={
        exceptions.MaxRetryError: by_reason,
        exceptions.ResponseError: ErrorClass.SERVER_ERROR,  # too many redirects
        exceptions.TimeoutError: ErrorClass.TIMEOUT,
        exceptions.EmptyPoolError: ErrorClass.TIMEOUT,
        exceptions.NewConnectionError: ErrorClass.CONNECTION,  # a TimeoutError as well
        exceptions.ProtocolError: ErrorClass.CONNECTION,
        exceptions.ProxyError: ErrorClass.CONNECTION,
        exceptions.SSLError: ErrorClass.TLS,
        exceptions.DecodeError: ErrorClass.SERIALIZATION,
        exceptions.InvalidHeader: ErrorClass.SERVER_ERROR,
        exceptions.LocationValueError: ErrorClass.CLIENT_ERROR,
        exceptions.HostChangedError: ErrorClass.CLIENT_ERROR,
        exceptions.ClosedPoolError: ErrorClass.CLIENT_ERROR,
        exceptions.UnrewindableBodyError: ErrorClass.CLIENT_ERROR,
    },
)


def answered(hop: ActiveHop, response: Any) -> None:
    hop.status(response.status)
    if (timing := response.headers.get(names.SERVER_TIMING)) is not None:
        history = response.retries.history if response.retries else ()
        led = [each.redirect_location for each in history if each.redirect_location]
        asked_first = str(hop.hop.attributes[names.URL_FULL])
        hop.answered(timing, address(reduce(urljoin, led, asked_first)))


def failed(hop: ActiveHop, error: Exception) -> None:
    if isinstance(error, exceptions.MaxRetryError) and (status := _last_status(error)):
        hop.status(status)


OPTIONS: Final[dict[str, Any]] = {"answered": answered, "failed": failed, "headers": "headers"}


@integration.calls("urllib3:PoolManager.urlopen", **OPTIONS)
def asked_by_manager(call: Call) -> Hop | None:
    """None where a pool has to choose the headers, or the scheme."""
    return _request(call, call["url"], call.get("headers", call.instance.headers))


@integration.calls("urllib3:HTTPConnectionPool.urlopen", **OPTIONS)
def asked_of_pool(call: Call) -> Hop | None:
    pool, url, headers = call.instance, call["url"], call["headers"]
    if isinstance(url, str) and not _is_absolute(url):  # else it is a proxy's pool
        url = _origin(pool) + (url if url.startswith("/") else "")
    return _request(call, url, pool.headers if headers is None else headers)


def _request(call: Call, url: Any, headers: Any) -> Hop | None:
    if not (isinstance(url, str) and _is_absolute(url) and isinstance(headers, Mapping)):
        return None
    sent: Any = headers.copy()  # type: ignore[attr-defined]  # as the library does
    try:
        hop = asked(call["method"], url, Mapped(sent))
    except ValueError:
        return None  # the library's to refuse, as is a URL that has no host
    call["headers"] = sent
    return hop if hop.peer else None


def _is_absolute(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def _origin(pool: Any) -> str:
    host = f"[{pool.host}]" if ":" in pool.host else pool.host
    known = pool.port in (None, port_by_scheme.get(pool.scheme))
    return f"{pool.scheme}://{host}" + ("" if known else f":{pool.port}")
