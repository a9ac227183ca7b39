"""What the query APIs share: parameters, pages, values bounded for an answer, errors."""

import base64
import binascii
import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otel_kit.embedded.config import MAX_LIMIT, MAX_NAME, MAX_VALUE
from otel_kit.embedded.problems import Malformed, NotFound, Refused, Unavailable
from otel_kit.records import AttributeValue, Quantiles

_log = logging.getLogger(__name__)

T = TypeVar("T")
Answer: TypeAlias = Callable[[Request], Any]
Failure: TypeAlias = Callable[[int, str], Any]

_STATUS: Final[dict[type[Refused], int]] = {Malformed: 400, NotFound: 404, Unavailable: 503}

_MAX_SECONDS: Final = 9e9
"""As a time: the year 2255.  In nanoseconds it fits SQLite's integers."""
_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?")


def failure(status: int, reason: str) -> dict[str, Any]:
    """The kit's own form of an error."""
    return {"error": reason, "status": status}


def get(path: str, answer: Answer, failed: Failure = failure) -> Route:
    """A GET route whose ``answer`` gives a JSON-able value or a Response, or raises Refused."""

    def endpoint(request: Request) -> Response:
        try:
            result = answer(request)
        except Refused as refusal:
            status = _STATUS.get(type(refusal), 400)
            return JSONResponse(failed(status, str(refusal)), status)
        except Exception:  # a bug of ours; the log has it
            _log.exception("%s could not be answered", request.url.path)
            return JSONResponse(failed(500, "internal error"), 500)
        return result if isinstance(result, Response) else JSONResponse(result)

    return Route(path, endpoint, methods=["GET"])


def limit(request: Request, default: int) -> int:
    """The parameter ``limit``, capped at `MAX_LIMIT`."""
    number = integer(request, "limit", default)
    if number < 1:
        raise Malformed("limit must be at least 1")
    return min(number, MAX_LIMIT)


def integer(request: Request, name: str, default: int) -> int:
    """A whole-number parameter of at most 63 bits."""
    found = optional_integer(request, name)
    return default if found is None else found


def optional_integer(request: Request, name: str) -> int | None:
    """The same, None when absent."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}|[0-9]{19}", text) or int(text) >= 2**63:
        raise Malformed(f"unable to parse param '{name}': not a whole number")
    return int(text)


def seconds(request: Request, name: str) -> int | None:
    """A parameter in seconds as nanoseconds, None when absent."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or float(text) > _MAX_SECONDS:
        raise Malformed(f"{name} must be a number of seconds, from 0 to {_MAX_SECONDS:.0f}")
    return round(float(text) * 1e9)


def text(request: Request, name: str) -> str:
    """A text parameter of bounded length, empty when absent."""
    value = request.query_params.get(name, "")
    return checked(value, name) if value else ""


def checked(value: str, name: str) -> str:
    """`value` if it may be a name or an id."""
    if len(value) > MAX_NAME or not value.isprintable() or not value:
        raise Malformed(f"{name} must be 1 to {MAX_NAME} printable characters")
    return value


def trace_id(value: str) -> bytes:
    """The 16 bytes of a hexadecimal trace id; short ones are filled up on the left."""
    if not re.fullmatch(r"[0-9a-fA-F]{1,32}", value) or not int(value, 16):
        raise Malformed("a trace id must be 1 to 32 hexadecimal digits and not zero")
    return bytes.fromhex(value.rjust(32, "0"))


def encode_cursor(*keys: int | str) -> str:
    """An opaque text for the keys of a page's last row."""
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


def cursor(request: Request, *types: type) -> tuple[Any, ...] | None:
    """The keys in the parameter ``cursor``, which must be of `types`; None for the first page."""
    value = request.query_params.get("cursor", "")
    if not value:
        return None
    try:
        keys = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        keys = None
    if not isinstance(keys, list) or [type(key) for key in keys] != list(types):
        raise Malformed("cursor must be the value of next in an earlier answer")
    if any(isinstance(key, int) and abs(key) >= 2**63 for key in keys):
        raise Malformed("cursor must be the value of next in an earlier answer")
    return tuple(keys)


def page(
    rows: Sequence[T], size: int, show: Callable[[T], Any], key: Callable[[T], tuple[Any, ...]]
) -> dict[str, Any]:
    """The first `size` of `rows`; ``next`` is null when there is nothing more."""
    shown = rows[:size]
    following = encode_cursor(*key(shown[-1])) if len(rows) > size else None
    return {"data": [show(row) for row in shown], "next": following}


def plain(value: AttributeValue) -> Any:
    """An attribute value as JSON: bytes in base64, long text cut."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, bytes):
        return cut(base64.b64encode(value).decode())
    if isinstance(value, dict):
        return {cut(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def cut(text: str) -> str:
    """At most `MAX_VALUE` characters; what is cut ends with an ellipsis."""
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def quantiles(prefix: str, found: Quantiles) -> dict[str, float | None]:
    """The fields of a row that show quantiles, in seconds."""
    return {f"{prefix}{name}": getattr(found, name) for name in ("p50_s", "p95_s", "p99_s")}
