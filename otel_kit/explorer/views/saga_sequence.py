"""Who called whom and sent what, in order: a sequence diagram, page by page."""

import streamlit as st

from otel_kit.explorer.charts import sequence as chart
from otel_kit.explorer.model import words
from otel_kit.explorer.model.sequence import Diagram, sequence
from otel_kit.explorer.views import drawn, links, shell
from otel_kit.explorer.views.reading import Opened


def show(opened: Opened) -> None:
    """The page that the URL names, else the one with the selected span."""
    diagram = sequence(opened.story, opened.verdict.steps)
    if not diagram.messages:
        st.info("No hop and no step of this saga is stored: there is nothing to draw.")
        return
    selected = links.selected_span()
    page = _page(diagram, chart.page_of(diagram, selected))
    st.caption(
        "Straight: a call and its reply. Sloping: a message and its wait in the queue. Dashed: the "
        "context was lost, or nobody is seen to take it; a cross: it got no answer."
    )
    drawn.chart(
        chart.drawn(diagram, page, opened.story.started_ns, shell.palette(), selected),
        key=f"sequence_{page}", alt="Sequence diagram of the saga",
    )  # fmt: skip


def _page(diagram: Diagram, default: int) -> int:
    pages, total = chart.pages(diagram), len(diagram.messages)
    if pages == 1:
        return 1
    page = st.pagination(pages, default=default, key="messages", bind="query-params")
    first = (page - 1) * chart.PER_PAGE
    last = min(first + chart.PER_PAGE, total)
    st.caption(
        f"Messages {words.number(first + 1)} to {words.number(last)} of {words.number(total)}; "
        "turn the pages above for the others."
    )
    return page
