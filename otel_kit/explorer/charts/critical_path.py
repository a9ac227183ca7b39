"""The critical path: a strip of its pieces over time, and what each edge took of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from otel_kit.explorer.charts import time_axis
from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import spent, words
from otel_kit.explorer.model.critical_path import CriticalPath, Label, Piece
from otel_kit.explorer.model.facts import SpanKey

LABELS: Final[Mapping[Label, str]] = {
    "work": "work",
    "queue": "queue",
    "network": "network",
    "backoff": "retry back-off",
    "gap": "unknown",
}
"""The labels as a reader meets them."""
_MS: Final = 10**6
"""Nanoseconds in the axis's unit."""
_MOST_BARS: Final = 800
"""Narrower than one part of so many, neighbours share a bar: none could be seen on its own."""
_MOST_EDGES: Final = 15
_NAME: Final = 24
"""Letters of a service's name."""
_PRESUMED: Final = "/"


@dataclass(frozen=True, slots=True)
class _Bar:
    """Pieces that are drawn as one; `chief` is the longest of them."""

    pieces: Sequence[Piece]

    @property
    def chief(self) -> Piece:
        return max(self.pieces, key=lambda piece: piece.ended_ns - piece.started_ns)

    @property
    def started_ns(self) -> int:
        return self.pieces[0].started_ns

    @property
    def width_ns(self) -> int:
        return sum(piece.ended_ns - piece.started_ns for piece in self.pieces)

    @property
    def presumed(self) -> bool:
        return any(piece.presumed for piece in self.pieces)


def strip(path: CriticalPath, palette: Palette, selected: SpanKey | None = None) -> go.Figure:
    """The pieces side by side over the time since the start; a selected span's are framed.

    A point's customdata is the trace id and span id of its (longest) piece.
    """
    bars = list(_bars(path.pieces))
    begin = bars[0].started_ns if bars else 0
    total = sum(bar.width_ns for bar in bars)
    values, texts = time_axis.ticks(0, total / _MS)
    figure = blank(palette, height=112, uirevision="path", bargap=0)
    figure.add_bar(
        orientation="h",
        y=[""] * len(bars),
        x=[bar.width_ns / _MS for bar in bars],
        base=[(bar.started_ns - begin) / _MS for bar in bars],
        marker={**_marker(bars, palette), "line": _edged(bars, total, palette, selected)},
        text=[_short(bar.chief) for bar in bars],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        hovertext=[_strip_hover(bar, begin) for bar in bars],
        hoverinfo="text",
        customdata=[bar.chief.span for bar in bars],
        unselected={"marker": {"opacity": 1}},
    )
    figure.update_layout(uniformtext={"minsize": 11, "mode": "hide"}, margin_b=28)
    figure.update_xaxes(
        range=[0, total / _MS], fixedrange=True, showgrid=False, zeroline=False,
        tickvals=values, ticktext=texts,
    )  # fmt: skip
    figure.update_yaxes(visible=False, fixedrange=True)
    return figure


def edges(path: CriticalPath, palette: Palette) -> go.Figure:
    """What each edge took of the path, largest first; a click leads to its longest piece."""
    bars = _edges(path)
    total = sum(bar.width_ns for bar in bars) or 1
    shown = bars[:_MOST_EDGES]
    widest = max([bar.width_ns for bar in shown], default=1)
    figure = blank(palette, height=28 * len(shown) + 24, uirevision="edges", bargap=0.35)
    figure.add_bar(
        orientation="h",
        y=list(range(len(shown))),
        x=[bar.width_ns / widest for bar in shown],
        marker=_marker(shown, palette),
        text=[_share(bar.width_ns, total) for bar in shown],
        textposition="outside",
        cliponaxis=False,
        hovertext=[_hover(bar, f"in {words.count(len(bar.pieces), 'piece')}") for bar in shown],
        hoverinfo="text",
        customdata=[bar.chief.span for bar in shown],
        unselected={"marker": {"opacity": 1}},
    )
    figure.update_xaxes(visible=False, fixedrange=True, range=[0, 1.25])
    figure.update_yaxes(
        autorange="reversed", fixedrange=True, automargin=True, showgrid=False, zeroline=False,
        tickvals=list(range(len(shown))), ticktext=[_short(bar.chief) for bar in shown],
        tickfont_color=palette.ink,
    )  # fmt: skip
    return figure


def edges_left_out(path: CriticalPath) -> int:
    """How many of the smallest edges `edges` does not draw."""
    return max(0, len(path.by_edge) - _MOST_EDGES)


def _bars(pieces: Sequence[Piece]) -> Iterator[_Bar]:
    """Neighbours that are too narrow to be seen are put together."""
    least = sum(piece.ended_ns - piece.started_ns for piece in pieces) / _MOST_BARS
    narrow: list[Piece] = []
    for piece in pieces:
        if piece.ended_ns - piece.started_ns >= least:
            if narrow:
                yield _Bar(narrow)
                narrow = []
            yield _Bar([piece])
            continue
        narrow.append(piece)
        if piece.ended_ns - narrow[0].started_ns >= least:
            yield _Bar(narrow)
            narrow = []
    if narrow:
        yield _Bar(narrow)


def _edges(path: CriticalPath) -> list[_Bar]:
    """A bar for each edge, largest first."""
    found: dict[tuple[str, str, Label], list[Piece]] = {edge: [] for edge in path.by_edge}
    for piece in path.pieces:
        found[piece.client, piece.server, piece.label].append(piece)
    return [_Bar(pieces) for pieces in found.values()]


def _share(took_ns: int, total_ns: int) -> str:
    return f"{words.share(took_ns / total_ns)} · {words.duration(took_ns / 1e9)}"


def _marker(bars: Sequence[_Bar], palette: Palette) -> dict[str, Any]:
    """The colours of the labels; hatched where presumed."""
    return {
        "color": [palette.kinds[bar.chief.label] for bar in bars],
        "line": {"color": palette.page, "width": 0},
        "pattern": {
            "shape": [_PRESUMED if bar.presumed else "" for bar in bars],
            "fillmode": "overlay",
            "fgcolor": palette.page,
            "fgopacity": 0.4,
            "size": 9,
            "solidity": 0.25,
        },
    }


def _edged(
    bars: Sequence[_Bar], total_ns: int, palette: Palette, selected: SpanKey | None
) -> dict[str, Any]:
    """A frame around the selected, and a thin line between those that have room for it."""
    framed = [any(piece.span == selected for piece in bar.pieces) for bar in bars]
    wide = [bar.width_ns * 150 > total_ns for bar in bars]
    return {
        "color": [palette.ink if frame else palette.page for frame in framed],
        "width": [2.5 if frame else float(room) for frame, room in zip(framed, wide, strict=True)],
    }


def _short(piece: Piece) -> str:
    """``orders → inventory · queue``."""
    ends = dict.fromkeys((piece.client, piece.server))
    where = " → ".join(plain(spent.known(end), _NAME) for end in ends)
    return f"{where} · {LABELS[piece.label]}"


def _strip_hover(bar: _Bar, begin_ns: int) -> str:
    since = f"from +{words.duration((bar.started_ns - begin_ns) / 1e9)} on"
    several = len(bar.pieces)
    return _hover(bar, since + (f"; {several} short pieces, mostly this" if several > 1 else ""))


def _hover(bar: _Bar, fact: str) -> str:
    piece = bar.chief
    went = spent.into(piece.client, piece.server, piece.label)
    lines = [f"<b>{words.duration(bar.width_ns / 1e9)}</b> {plain(went)}", fact]
    if bar.presumed:
        lines.append("presumed: its context was lost, this is the likely sender")
    return "<br>".join(lines)
