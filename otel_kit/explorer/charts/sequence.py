"""The sequence diagram: a line for each participant, an arrow for each message, in order.

Calls are straight arrows with a filled head, messages through a queue slope, replies are thin.
Dashed are hops that lost their context (their sender is presumed) and those nobody is seen to
take; of the latter, what got no answer ends in a cross.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from otel_kit.explorer.charts.figure import blank, plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import words
from otel_kit.explorer.model.facts import SpanKey
from otel_kit.explorer.model.sequence import Diagram, Message

PER_PAGE: Final = 40
"""Messages drawn at once: more could not be read, and would make a browser slow."""
_ROW_PX: Final = 36
_SLOPE: Final = 0.3
"""Rows that an arrow sinks while its message waits in a queue."""
_LOOP: Final = 0.22
"""Columns that an arrow to oneself reaches out."""
_TARGET: Final = 0.08
"""Columns between two points of an arrow that can be clicked."""
_HEAD: Final = 0.06
"""Columns that the head of an arrow is drawn on."""
_LETTER_PX: Final = 6.3
_WIDTH_PX: Final = 1080
"""Of all columns, on a page 1280 pixels wide."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A message as drawn: through `xs` and `ys`, in columns and rows."""

    message: Message
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    unanswered: bool

    @property
    def dashed(self) -> bool:
        return self.message.lost or self.message.arrived_ns is None


def pages(diagram: Diagram) -> int:
    """How many pages the diagram has, at least one."""
    return max(1, -(-len(diagram.messages) // PER_PAGE))


def page_of(diagram: Diagram, span: SpanKey | None) -> int:
    """The page, from 1, of the first message of a span; the first page if there is none."""
    places = (n for n, message in enumerate(diagram.messages) if span and message.span == span)
    return next(places, 0) // PER_PAGE + 1


def drawn(
    diagram: Diagram, page: int, begin_ns: int, palette: Palette, selected: SpanKey | None = None
) -> go.Figure:
    """One page, from 1, with the participants that occur on it; times are since `begin_ns`."""
    messages = diagram.messages[(page - 1) * PER_PAGE : page * PER_PAGE]
    ends = {end for message in messages for end in (message.sender, message.receiver)}
    columns = [name for name in diagram.participants if name in ends]
    lines = list(_lines(messages, columns, _given_up(diagram)))
    figure = _ground(columns, messages, begin_ns, palette)
    _draw_selected(figure, lines, selected, palette)
    for line in lines:
        _draw_line(figure, line, palette)
    figure.add_trace(_targets(lines, begin_ns))
    figure.update_layout(annotations=[
        note for line in lines for note in _annotations(line, len(columns), palette)
    ])  # fmt: skip
    return figure


# -- where -----------------------------------------------------------------------------------------


def _given_up(diagram: Diagram) -> set[SpanKey | None]:
    """Calls whose reply is an error."""
    return {m.span for m in diagram.messages if m.kind == "reply" and m.error}


def _lines(
    messages: Sequence[Message], columns: Sequence[str], given_up: set[SpanKey | None]
) -> Iterator[_Line]:
    for row, message in enumerate(messages):
        start, end = columns.index(message.sender), columns.index(message.receiver)
        unanswered = message.arrived_ns is None and (
            message.kind == "message" or (message.kind == "call" and message.span in given_up)
        )
        if message.kind == "note":
            yield _Line(message, (start,), (row,), False)
        elif start == end:
            out = start + (_LOOP if start + 1 < len(columns) or start == 0 else -_LOOP)
            yield _Line(message, (start, out, out, start), (row, row, *[row + _SLOPE] * 2),
                        unanswered)  # fmt: skip
        else:
            sinks = _SLOPE if message.kind == "message" else 0
            yield _Line(message, (start, end), (row, row + sinks), unanswered)


def _ground(
    columns: Sequence[str], messages: Sequence[Message], begin_ns: int, palette: Palette
) -> go.Figure:
    """Lifelines, names above them (in two rows if there are many), times at the left."""
    height = _ROW_PX * (len(messages) + 1) + 60
    figure = blank(palette, height=height, left=76, margin_t=56, uirevision="sequence")
    for column in range(len(columns)):
        figure.add_vline(column, line={"color": palette.line, "width": 2}, layer="below")
    figure.update_xaxes(
        side="top", range=[-0.55, len(columns) - 0.45], fixedrange=True, showgrid=False,
        zeroline=False, tickvals=list(range(len(columns))), ticktext=_heads(columns),
        tickfont={"color": palette.ink, "size": 13}, tickangle=0, showline=False,
    )  # fmt: skip
    figure.update_yaxes(
        range=[len(messages), -0.7], fixedrange=True, showgrid=False, zeroline=False,
        showline=False, tickvals=list(range(len(messages))),
        ticktext=[f"+{words.duration((m.sent_ns - begin_ns) / 1e9)}" for m in messages],
    )  # fmt: skip
    return figure


def _heads(columns: Sequence[str]) -> list[str]:
    if len(columns) <= 6:
        return [f"<b>{plain(name, 24)}</b>" for name in columns]
    return [
        f"<b>{plain(name, 20)}</b>" + ("" if place % 2 else "<br> ")
        for place, name in enumerate(columns)
    ]


# -- what ------------------------------------------------------------------------------------------


def _colour(message: Message, palette: Palette) -> str:
    if message.error:
        return palette.error
    kinds = {"message": "queue", "call": "network", "note": "work"}
    if message.kind == "reply":
        return palette.muted
    return palette.compensation if message.undoing else palette.kinds[kinds[message.kind]]


def _draw_line(figure: go.Figure, line: _Line, palette: Palette) -> None:
    colour = _colour(line.message, palette)
    figure.add_scatter(
        x=line.xs, y=line.ys, mode="lines", hoverinfo="skip",
        line={"color": colour, "width": 1 if line.message.kind == "reply" else 2,
              "dash": "dash" if line.dashed else "solid"},
    )  # fmt: skip
    if line.unanswered:
        figure.add_scatter(
            x=line.xs[-1:], y=line.ys[-1:], mode="markers", hoverinfo="skip",
            marker={"symbol": "x", "size": 11, "color": palette.error},
        )  # fmt: skip


def _draw_selected(
    figure: go.Figure, lines: Sequence[_Line], selected: SpanKey | None, palette: Palette
) -> None:
    for line in lines:
        if selected is not None and line.message.span == selected:
            left, right = min(line.xs), max(line.xs)
            figure.add_shape(
                type="rect", x0=left - 0.3, x1=right + 0.3, y0=line.ys[0] - 0.5,
                y1=line.ys[0] + 0.5, line_width=0, fillcolor=palette.surface, layer="below",
            )  # fmt: skip


def _annotations(line: _Line, columns: int, palette: Palette) -> Iterator[dict[str, Any]]:
    if line.message.kind == "note":
        yield _box(line, columns, palette)
        return
    if not line.unanswered:
        yield _head(line, palette)
    yield _label(line, columns, palette)


def _head(line: _Line, palette: Palette) -> dict[str, Any]:
    """The head of an arrow, on a short piece of its end."""
    (x0, x1), (y0, y1) = line.xs[-2:], line.ys[-2:]
    part = _HEAD / abs(x1 - x0)
    return {
        "x": x1, "y": y1, "ax": x1 - (x1 - x0) * part, "ay": y1 - (y1 - y0) * part,
        "axref": "x", "ayref": "y", "text": "", "showarrow": True,
        "arrowhead": 2 if line.message.kind == "call" else 3,
        "arrowwidth": 1.2 if line.message.kind == "reply" else 1.8,
        "arrowcolor": _colour(line.message, palette),
    }  # fmt: skip


def _label(line: _Line, columns: int, palette: Palette) -> dict[str, Any]:
    quiet = line.message.kind == "reply"
    own = line.xs[0] == line.xs[-1]
    leftwards = own and line.xs[1] < line.xs[0]
    return {
        "x": line.xs[1] if own else (line.xs[0] + line.xs[-1]) / 2,
        "y": (line.ys[0] + line.ys[-1]) / 2,
        "xanchor": "center" if not own else "right" if leftwards else "left",
        "yshift": 0 if own else 13 if line.message.kind == "message" else 10,
        "text": plain(_words(line.message), _fits(columns)),
        "showarrow": False, "bgcolor": palette.page, "borderpad": 0,
        "font": {"size": 12, "color": palette.error if line.message.error
                 else palette.muted if quiet else palette.ink},
    }  # fmt: skip


def _box(line: _Line, columns: int, palette: Palette) -> dict[str, Any]:
    """A note; at the first and the last participant it reaches inwards."""
    colour = _colour(line.message, palette)
    first, last = line.xs[0] == 0, line.xs[0] == columns - 1
    return {
        "x": line.xs[0], "y": line.ys[0], "text": plain(_words(line.message), _fits(columns)),
        "xanchor": "left" if first else "right" if last else "center",
        "xshift": -40 if first else 40 if last else 0,
        "showarrow": False, "bgcolor": palette.surface, "bordercolor": colour, "borderwidth": 1.5,
        "borderpad": 4, "font": {"size": 12, "color": colour},
    }  # fmt: skip


def _fits(columns: int) -> int:
    """Letters over the width of two columns, so that none is cut at the edge of the drawing."""
    return int(_WIDTH_PX / max(4, columns) * 2 / _LETTER_PX)


def _words(message: Message) -> str:
    """``inventory.commands, waited 4.2 s``."""
    if message.arrived_ns is None:
        missing = {"message": "not taken", "note": "not ended"}
        said = [message.text, missing.get(message.kind, "")]
    elif message.kind == "message":
        said = [message.text, f"waited {_lasted(message)}"]
    elif message.kind == "note":
        said = [message.text, _lasted(message)]
    else:
        said = [message.text]
    if message.error and message.error != message.text:
        said.append(message.error)
    if message.lost and message.kind != "reply":
        said.append("context lost")
    return ", ".join(filter(None, said))


def _lasted(message: Message) -> str:
    return words.duration(max(0, (message.arrived_ns or message.sent_ns) - message.sent_ns) / 1e9)


# -- what can be clicked ---------------------------------------------------------------------------


def _targets(lines: Sequence[_Line], begin_ns: int) -> go.Scatter:
    """Invisible points along every arrow, and on every note."""
    xs: list[float] = []
    ys: list[float] = []
    texts: list[str] = []
    spans: list[SpanKey] = []
    for line in lines:
        text = _hover(line, begin_ns)
        for x, y in _along(line):
            if line.message.span is not None:
                xs.append(x)
                ys.append(y)
                texts.append(text)
                spans.append(line.message.span)
    return go.Scatter(
        x=xs, y=ys, mode="markers", marker={"size": 20, "opacity": 0}, hovertext=texts,
        hoverinfo="text", customdata=spans, selected_marker_opacity=0, unselected_marker_opacity=0,
    )  # fmt: skip


def _along(line: _Line) -> Iterator[tuple[float, float]]:
    yield line.xs[0], line.ys[0]
    for x0, x1, y0, y1 in zip(line.xs, line.xs[1:], line.ys, line.ys[1:], strict=False):
        steps = max(1, round(abs(x1 - x0) / _TARGET))
        for step in range(1, steps + 1):
            yield x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps


def _hover(line: _Line, begin_ns: int) -> str:
    message = line.message
    between = f"{message.sender} → {message.receiver}"
    where = message.sender if message.kind == "note" else between
    since = words.duration((message.sent_ns - begin_ns) / 1e9)
    facts = [f"<b>{plain(message.text)}</b>", plain(where), f"at +{since}"]
    if message.arrived_ns is not None:
        verb = {"message": "waited", "note": "took"}.get(message.kind, "on its way for")
        facts.append(f"{verb} {_lasted(message)}")
    else:
        facts.append("not ended" if message.kind == "note" else "nobody is seen to take it")
    if message.error:
        facts.append(f"error: {plain(message.error)}")
    if message.lost:
        facts.append("its context was lost: the sender is presumed")
    return "<br>".join(facts)
