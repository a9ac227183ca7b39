"""
httpx: `Client.send` and `AsyncClient.send`.

Every way to make a request ends there, whatever the transport.  One call of it is one hop, with
the redirects and the authentication round trips in it: that is what the application waited for.
The headers go into httpx's own `Request`, which has copied the caller's.
"""

import httpx

from otel_kit import names
from otel_kit.errors import ErrorClass
from otel_kit.hops import ActiveHop, Hop, http_request
from otel_kit.integrations._shape import Call, Integration

integration = Integration(
    "httpx",
    supports="httpx>=0.25,<1",
    contrib=("opentelemetry.instrumentation.httpx:HTTPXClientInstrumentor",),
    errors={
        httpx.TimeoutException: ErrorClass.TIMEOUT,
        httpx.NetworkError: ErrorClass.CONNECTION,
        httpx.RemoteProtocolError: ErrorClass.CONNECTION,
        httpx.LocalProtocolError: ErrorClass.CLIENT_ERROR,
        httpx.UnsupportedProtocol: ErrorClass.CLIENT_ERROR,
        httpx.TooManyRedirects: ErrorClass.SERVER_ERROR,
        httpx.DecodingError: ErrorClass.SERIALIZATION,
        httpx.ProxyError: ErrorClass.CONNECTION,
    },
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def answered(hop: ActiveHop, response: httpx.Response) -> None:
    hop.status(response.status_code)
    hop.answered(response.headers.get(names.SERVER_TIMING))


@integration.calls("httpx:Client.send", "httpx:AsyncClient.send", answered=answered)
def request(call: Call) -> Hop:
    sent: httpx.Request = call["request"]
    url = sent.url
    return http_request(
        sent.method,
        carrier=sent.headers,
        scheme=url.scheme,
        host=url.host,
        port=url.port or _DEFAULT_PORTS.get(url.scheme),
        url=str(url.copy_with(username=None, password=None, query=None, fragment=None)),
    )
