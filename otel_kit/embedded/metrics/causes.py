"""Why context was probably lost, in a sentence for whoever has to mend it; pure."""

from collections.abc import Sequence

from otel_kit import names


def likely_cause(result: str, client: str, suspects: Sequence[str], server: str, topic: str) -> str:
    """The likely cause of `result`: missing, invalid or stale.

    `client` is `unknown` where nothing tells it; `suspects` are then those that it may be.
    `topic` is empty for requests.
    """
    return (
        _messages(result, client, server, topic)
        if topic
        else _requests(result, client, suspects, server)
    )


def _messages(result: str, client: str, server: str, topic: str) -> str:
    named = client != names.UNKNOWN
    producer = client if named else f"the producer on {topic}"
    if result == "stale":
        return (
            f"something between {producer} and {server} forwards our headers but is not"
            " instrumented: a relay, a mirror or an older service"
        )
    if result == "invalid":
        return f"{producer} sends a malformed traceparent, or something on {topic} rewrites it"
    if named:
        return f"{client} sends trace headers to {topic}, and something between drops them"
    return f"{producer} sends no headers: it is not instrumented, or something between drops them"


def _requests(result: str, client: str, suspects: Sequence[str], server: str) -> str:
    named = client != names.UNKNOWN
    caller = client if named else f"a client of {server}"
    if result == "stale":
        return (
            f"something between {caller} and {server} forwards our headers but is not"
            " instrumented: a proxy or an older service"
        )
    if result == "invalid":
        return f"{caller} sends a malformed traceparent, or a proxy rewrites it"
    if named:
        return f"{client} sends trace headers, and something between drops them: a proxy or gateway"
    if suspects:
        return f"a proxy or gateway drops the trace headers of one of {', '.join(suspects)}"
    return (
        f"{caller} sends no trace headers: it is not instrumented; if {server} is an entry point,"
        " set OTEL_KIT_EDGE=true there"
    )
