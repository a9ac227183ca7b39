"""The top of a saga's page: its state, the sentence that explains it, and its figures."""

import time
from html import escape

import streamlit as st

from otel_kit.explorer.model import facts, words
from otel_kit.explorer.views import links, saga_list, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.explorer.views.markdown import inline_html
from otel_kit.explorer.views.reading import Opened


def show(opened: Opened) -> None:
    """State and sentence, then figures, then what is missing."""
    palette = shell.palette()
    html = _html(opened)
    _HEAD.show(html, key="head", colours=saga_list.colours(palette))
    for warning in _warnings(opened):
        st.warning(warning, icon=":material/link_off:")


def _html(opened: Opened) -> str:
    saga, state = opened.detail.saga, opened.verdict.state
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(opened.story.started_ns / 1e9))
    figures = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in _figures(opened).items()
    )
    return (
        f'<header style="--c:var(--state-{escape(state)})">'
        f'<p class="over">{escape(saga.name or "saga")} · started {started} UTC</p>'
        f"<h1>{escape(saga.id)} {saga_list.chip(state)}</h1>"
        f'<p class="sentence">{inline_html(opened.sentence)}</p><dl>{figures}</dl>'
        f"{_elsewhere(saga.id)}</header>"
    )


def _elsewhere(saga_id: str) -> str:
    """Links to other looks at the same saga."""
    to = {
        "On the map": links.to_map(saga_id=saga_id),
        "Compare": links.to(links.COMPARE, a=saga_id),
    }
    anchors = "".join(f'<a href="{escape(at)}">{name}</a>' for name, at in to.items())
    return f"<nav>{anchors}</nav>"


def _figures(opened: Opened) -> dict[str, str]:
    story, verdict = opened.story, opened.verdict
    spans = story.spans.values()
    path = verdict.path.by_label
    total = sum(path.values()) or 1
    hops = sum(span.kind in facts.INBOUND for span in spans)
    return {
        "Duration": words.duration(opened.detail.saga.duration_s),
        "In queues": f"{path.get('queue', 0) / total:.0%}",
        "Hops": words.number(hops),
        "Services": str(len({span.service for span in spans})),
        "Traces": str(len(opened.detail.traces)),
        "Retries": str(sum(step.attempts - 1 for step in verdict.steps)),
        "Errors": str(sum(map(facts.failed, spans))),
    }


def _warnings(opened: Opened) -> list[str]:
    found = [f"Something is missing: {gap.sentence}." for gap in opened.story.gaps[:5]]
    if len(opened.story.gaps) > 5:
        found.append(f"{len(opened.story.gaps) - 5} more things are missing; see Traces.")
    if opened.detail.truncated:
        found.append("This saga is larger than one answer of the source: not all of it is shown.")
    return found


_HEAD = Linked("saga_head", "chip")
