"""`Server-Timing` replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_kit.hops import replies


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=64))
def test_a_reply_is_read_as_it_was_written(service: str) -> None:
    """Any printable name survives, cut if it is long; milliseconds come back as seconds."""
    reply = replies.read(replies.write(service, 0.0125))

    if not service.isprintable():
        assert reply is None
    else:
        assert reply is not None
        assert service.startswith(reply.service)
        assert len(reply.service) == len(service) or len(reply.service) >= 16
        assert reply.seconds == 0.0125


def test_ours_is_found_among_others() -> None:
    """Other entries of the header, before and after, do not matter."""
    header = 'cache;desc="hit", otelkit;desc="billing";dur=3.5, db;dur=1'

    assert replies.read(header) == ("billing", 0.0035)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "otelkit",
        'otelkit;desc="";dur=1',
        'otelkit;desc="a";dur=x',
        'notelkit;desc="a";dur=1',
        "x" * 9999,
    ],
)
def test_anything_else_is_no_reply(header: str | None) -> None:
    """Malformed, foreign and endless headers are ignored."""
    assert replies.read(header) is None
