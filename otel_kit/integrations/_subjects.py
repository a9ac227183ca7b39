"""Names of destinations that are made of tokens (`orders.42.paid`), of which some may be ids."""

import re
from functools import lru_cache

_ID = re.compile(
    r"\d+"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    r"|(?=[A-Za-z]*\d)[0-9A-Za-z]{16,}"  # a trace's or an object's id, a ULID, a NUID
)


@lru_cache(maxsize=1024)
def template(name: str, separator: str, wildcard: str) -> str | None:
    """The name with its ids replaced by the wildcard; None if there are none.

    Who sends, or handles, does not say which tokens vary: those are ids that look like it.
    """
    tokens = name.split(separator)
    bounded = [wildcard if _ID.fullmatch(token) else token for token in tokens]
    return None if bounded == tokens else separator.join(bounded)


@lru_cache(maxsize=1024)
def pattern(subscribed: str, separator: str, wildcards: tuple[str, ...]) -> str | None:
    """What was subscribed to, if it is a template: it has a wildcard, and not wildcards alone."""
    tokens = subscribed.split(separator)
    wild = [token in wildcards for token in tokens]
    return subscribed if any(wild) and not all(wild) else None
