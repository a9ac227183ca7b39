"""The pages, run as Streamlit runs them, but without a browser."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from otel_kit.explorer.views import reading
from tests.embedded.running import Client


@contextmanager
def exploring(client: Client, read_as: str = "collector") -> Iterator[None]:
    """While the block lasts, the pages read from this collector, or as if it were a ``jaeger``."""
    _forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_KIT_EXPLORER", json.dumps({read_as: client.query_url}))
        yield
        _forget()


def _forget() -> None:
    reading.source().close()
    st.cache_resource.clear()


def visit(page: Callable[[], None], **parameters: str) -> AppTest:
    """Run a page with these parameters in its URL; fails if it raises."""
    visited = AppTest.from_function(page, default_timeout=60)
    for name, value in parameters.items():
        visited.query_params[name] = value
    visited.run()
    assert not visited.exception, visited.exception
    return visited


def saga_page() -> None:
    """The page of one saga."""
    import streamlit as st

    from otel_kit.explorer.views import links, saga

    links.know([], st.Page(saga.page, url_path=links.SAGA))
    saga.page()


def compare_page() -> None:
    """The page that compares."""
    import streamlit as st

    from otel_kit.explorer.views import compare, links

    links.know([], st.Page(compare.page, url_path=links.COMPARE))
    compare.page()


def html_of(visited: AppTest) -> str:
    """All HTML of our own on the page."""
    parts = (json.loads(part.proto.json) for part in visited.get("bidi_component"))
    return "".join(part.get("html", "") for part in parts)


def charts_of(visited: AppTest) -> list[dict[str, Any]]:
    """The figures on the page that show something, as Plotly's JSON."""
    found = [json.loads(part.proto.spec) for part in visited.get("plotly_chart")]
    return [chart for chart in found if any("x" in trace for trace in chart["data"])]
