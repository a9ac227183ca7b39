"""The critical path of a saga: what its time went into, moment by moment, label by label."""

from html import escape
from typing import Final

import streamlit as st

from otel_kit.explorer.charts import critical_path
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import spent, words
from otel_kit.explorer.model.critical_path import CriticalPath, Label
from otel_kit.explorer.views import drawn, links, markdown, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.explorer.views.reading import Opened

_MEANING: Final[dict[Label, str]] = {
    "work": "inside a service",
    "queue": "a message lies and waits",
    "network": "between two services",
    "backoff": "before a further attempt",
    "gap": "nothing visible tells",
}


def show(opened: Opened) -> None:
    """A sentence, the strip, the sum for each label, the sum for each edge."""
    path, palette = opened.verdict.path, shell.palette()
    if not path.pieces:
        st.info("No span of this saga is stored: nothing tells where its time went.")
        return
    st.markdown(f"##### {markdown.plain(spent.sentence(path))}")
    for remark in _remarks(opened):
        st.caption(remark)
    drawn.chart(
        critical_path.strip(path, palette, links.selected_span()), key="path_strip",
        alt="The critical path of the saga as pieces over time",
    )  # fmt: skip
    _TILES.show(_tiles(path), key="path_labels", colours=_colours(palette))
    st.markdown("###### By edge")
    drawn.chart(
        critical_path.edges(path, palette), key="path_edges", alt="What each edge took of the path"
    )
    if left_out := critical_path.edges_left_out(path):
        st.caption(f"{words.count(left_out, 'smaller edge')} not drawn.")


def _remarks(opened: Opened) -> list[str]:
    found = []
    if opened.in_progress:
        ago = words.duration(max(0, opened.now_ns - opened.story.ended_ns) / 1e9)
        found.append(f"In progress: the path ends with the last span seen, {ago} ago.")
    if any(piece.presumed for piece in opened.verdict.path.pieces):
        found.append("Hatched is presumed: a context was lost there, the sender is the likely one.")
    return found


def _tiles(path: CriticalPath) -> str:
    sums = path.by_label
    total = sum(sums.values()) or 1
    tiles = "".join(_tile(label, sums.get(label, 0), total) for label in critical_path.LABELS)
    return f'<dl class="tiles">{tiles}</dl>'


def _tile(label: Label, took_ns: int, total_ns: int) -> str:
    none = "" if took_ns else " none"
    took = words.duration(took_ns / 1e9) if took_ns else ""
    return (
        f'<div class="tile{none}" style="--c:var(--kind-{label})">'
        f"<dt>{critical_path.LABELS[label]}</dt>"
        f"<dd><b>{escape(words.share(took_ns / total_ns))}</b> {took}</dd>"
        f'<dd class="meaning">{_MEANING[label]}</dd></div>'
    )


def _colours(palette: Palette) -> dict[str, str]:
    kinds = {f"kind-{label}": palette.kinds[label] for label in critical_path.LABELS}
    return {**kinds, "muted": palette.muted, "line": palette.line, "surface": palette.surface}


_TILES: Final = Linked("saga_path")
