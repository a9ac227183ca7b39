"""OTLP over HTTP: one attempt for each export, and the collector's verdict on it.

OpenTelemetry's exporter tries again by itself for ten seconds, out of reach of any deadline, and
says nothing of why it failed.  Its session is ours to give: one that makes a single attempt,
remembers the answer, and ends the exporter's loop by an error that it does not try again on.
"""

from __future__ import annotations

# requests and socket import these when first used, in our thread.  A fork in the middle of an
# import would leave its lock held in the child for ever.
import encodings.idna  # noqa: F401
import netrc  # noqa: F401
import os
from typing import Any, Final

import requests

from otel_kit._providers.delivery import Outcome
from otel_kit._providers.verdicts import MAX_ANSWER, RETRYABLE_STATUS, Observed, Verdict

_PROVIDED: Final = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_"


class _NotDelivered(Exception):  # not an error of ours, a message to the exporter
    """Ends the exporter's own attempts."""


class _Session(requests.Session):
    """Makes one request, and keeps what came of it."""

    def __init__(self, observed: Observed) -> None:
        super().__init__()
        self._observed = observed

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As in the base class, for one attempt; the body of the answer is bounded."""
        try:
            with super().request(*args, **{**kwargs, "stream": True}) as response:
                body = response.raw.read(MAX_ANSWER, decode_content=True) or b""
        except (requests.RequestException, OSError) as error:
            self._observed.outcome = Outcome(False, again=True, problem=_reason(error))
            raise _NotDelivered from error
        if not 200 <= response.status_code < 300:
            self._observed.outcome = _refusal(response)
            raise _NotDelivered
        self._observed.accepted_bytes(body)
        return response


def _refusal(response: requests.Response) -> Outcome:
    status = response.status_code
    again = status in RETRYABLE_STATUS
    asked = response.headers.get("retry-after", "") if again else ""
    wait = min(float(asked), 30.0) if asked.isdigit() else None
    return Outcome(False, again=again, wait=wait, problem=f"HTTP {status} {response.reason}")


def _reason(error: BaseException) -> str:
    """The innermost cause: the outer ones repeat it in many words."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"[:200]


def http_exporter(exporter: Any, answer: Any) -> tuple[Any, Verdict | None]:
    """An exporter of this class and how to learn what came of each export.

    With a credential provider (OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER and its variants
    for one signal) the session is the provider's, and there is nothing to learn.
    """
    if any(
        name.startswith(_PROVIDED) and name.endswith("CREDENTIAL_PROVIDER") for name in os.environ
    ):
        return exporter(), None
    observed = Observed(answer)
    return exporter(session=_Session(observed)), observed.take
