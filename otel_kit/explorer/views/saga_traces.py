"""The traces of a saga: what joined each to the others, what is missing, whose clock is off."""

from typing import Final

import streamlit as st

from otel_kit.explorer.model import words
from otel_kit.explorer.model.story import JoinedBy
from otel_kit.explorer.views import reading
from otel_kit.explorer.views.reading import Opened

_JOINED: Final[dict[JoinedBy, str]] = {
    "first": "the saga begins here",
    "parent": "a span in it continues one of another trace",
    "link": "a link leads to or from another trace",
    "id": "only by the saga's id",
    "unknown": "nothing visible joins it",
}


def show(opened: Opened) -> None:
    """A row for each trace, with a link to Jaeger where there is one."""
    st.dataframe(
        _rows(opened),
        hide_index=True,
        column_config={"Page": st.column_config.LinkColumn(display_text="Open in Jaeger")},
    )
    for gap in opened.story.gaps:
        st.warning(f"Something is missing: {gap.sentence}.", icon=":material/link_off:")
    for skew in opened.story.skews:
        st.info(
            f"The clock of {skew.service} is behind that of {skew.against} by at least "
            f"{words.duration(skew.seconds)} ({words.count(skew.spans, 'span')}); corrected here.",
            icon=":material/schedule:",
        )


def _rows(opened: Opened) -> list[dict[str, object]]:
    spans = {trace.trace_id: trace.spans for trace in opened.detail.traces}
    source = reading.source()
    rows: list[dict[str, object]] = []
    for joint in opened.story.joints:
        own = spans.get(joint.trace_id, ())
        rows.append(
            {
                "Trace": joint.trace_id,
                "Joined": _JOINED[joint.by],
                "Begins with": f"{own[0].service}: {own[0].name}" if own else "",
                "Spans": len(own),
                "Services": ", ".join(sorted({span.service for span in own})),
                "Page": source.trace_url(joint.trace_id),
            }
        )
    return rows
