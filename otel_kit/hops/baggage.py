"""W3C baggage, as OpenTelemetry's propagator reads and writes it.

What needs no decoding and breaks no rule, as most baggage, is read and written here; all else is
that propagator's to judge.
"""

import re
from collections.abc import Mapping
from typing import Final

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from otel_kit.hops.keys import BAGGAGE

HEADER: Final = "baggage"
_LENGTH: Final = 4096
_MEMBERS: Final = 64
_KEY: Final = r"[\w.~-]+"
_VALUE: Final = r"[\w.~:@-]+"
_MEMBER: Final = f"{_KEY}={_VALUE}"
_USUAL: Final = re.compile(f"{_MEMBER}(?:,{_MEMBER}){{0,{_MEMBERS - 1}}}", re.ASCII)
_UNQUOTED: Final = re.compile(r"[\w.~-]+", re.ASCII)
_official: Final = W3CBaggagePropagator()


def read(header: str) -> dict[str, object] | None:
    """The members of a header, None if there are none.  The last of several with one key counts."""
    if len(header) <= _LENGTH and _USUAL.fullmatch(header):
        pairs = [member.partition("=") for member in header.split(",")]
        return {key: value for key, _, value in pairs}
    found = _official.extract({HEADER: header}, Context()).get(BAGGAGE)
    return found if isinstance(found, dict) else None


def written(context: Context) -> str:
    """The header for the baggage of `context`, empty if it has none."""
    members = context.get(BAGGAGE)
    if not isinstance(members, Mapping) or not members:
        return ""
    if len(members) <= _MEMBERS and all(_UNQUOTED.fullmatch(str(m)) for m in members.values()):
        header = ",".join([f"{key}={value}" for key, value in members.items()])
        if _USUAL.fullmatch(header) and len(header) <= _LENGTH:
            return header
    carrier: dict[str, str] = {}
    _official.inject(carrier, context)
    return carrier.get(HEADER, "")
