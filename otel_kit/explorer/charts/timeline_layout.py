"""Where everything stands on the timeline: rows and lanes in pixels, time in milliseconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_kit.explorer.charts.figure import plain
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model.timeline import WIDTH_PX, Bar, Row, Timeline

PATH_Y: Final = 10
"""The middle of the critical path's strip."""
_PATH: Final = "critical path"
_ROW_GAP: Final = 7
_LANES_PX: Final = ((40, 15), (80, 12), (160, 9))
"""Up to so many lanes, a lane is that high; beyond, `_LEAST_LANE_PX`."""
_LEAST_LANE_PX: Final = 7
_LEAST_BAR_PX: Final = 1.5
_MOST_LABEL: Final = 30


@dataclass(frozen=True, slots=True)
class Placed:
    """A bar with its lane's middle, in pixels from the top."""

    bar: Bar
    y: float


class Layout:
    """Where everything stands, in pixels from the top of the plot."""

    def __init__(self, drawn: Timeline) -> None:
        lanes = sum(len(row.lanes) for row in drawn.rows)
        self.rows = drawn.rows
        self.lane = next((px for most, px in _LANES_PX if lanes <= most), _LEAST_LANE_PX)
        y: float = 24 if drawn.path else 4
        self.tops: list[float] = []
        self.bars: list[Placed] = []
        for row in drawn.rows:
            self.tops.append(y)
            for number, lane in enumerate(row.lanes):
                middle = y + _ROW_GAP / 2 + (number + 0.5) * self.lane
                self.bars.extend(Placed(bar, middle) for bar in lane)
            y += len(row.lanes) * self.lane + _ROW_GAP
        self.height = max(y, 60.0)
        self.tops.append(y)


@dataclass(frozen=True, slots=True)
class Scale:
    """From nanoseconds since the epoch to milliseconds since the start: the axis."""

    start_ns: int
    window: tuple[int, int]

    def at(self, time_ns: int) -> float:
        """A place on the axis."""
        return (time_ns - self.start_ns) / 1e6

    def left(self, started_ns: int) -> float:
        """Where a bar begins within the window: what Plotly says of it stands at its end."""
        return self.at(max(started_ns, self.window[0]))

    def width(self, started_ns: int, ended_ns: int) -> float:
        """Of a bar within the window; never too narrow to be seen."""
        least = (self.window[1] - self.window[0]) / WIDTH_PX * _LEAST_BAR_PX
        shown = min(ended_ns, self.window[1]) - max(started_ns, self.window[0])
        return max(shown, least) / 1e6


# -- rows ------------------------------------------------------------------------------------------


class Labels:
    """The names of the rows, in a column `left` pixels wide."""

    def __init__(self, places: Layout, palette: Palette) -> None:
        self._places, self._palette = places, palette
        self._texts = [_label(places.rows, number) for number in range(len(places.rows))]
        self.left = min(240, 26 + round(7.2 * max(map(_length, self._texts), default=10)))

    def annotations(self, with_path: bool) -> Iterator[dict[str, Any]]:
        """One for each row, and one for the critical path's strip."""
        tops, palette = self._places.tops, self._palette
        for number, label in enumerate(self._texts):
            colour = palette.ink if label.startswith("<") else palette.muted
            yield self._annotation(label, (tops[number] + tops[number + 1]) / 2, colour)
        if with_path:
            yield self._annotation(f"<i>{_PATH}</i>", PATH_Y, palette.muted)

    def _annotation(self, label: str, y: float, colour: str) -> dict[str, Any]:
        return {
            "text": label, "x": 0, "xref": "paper", "xanchor": "left", "xshift": 8 - self.left,
            "y": y, "yanchor": "middle", "showarrow": False, "align": "left",
            "font": {"size": 12, "color": colour},
        }  # fmt: skip


def _label(rows: Sequence[Row], number: int) -> str:
    row = rows[number]
    if row.gathered:
        return f"<i>{row.gathered} more rows</i>"
    first = number == 0 or rows[number - 1].service != row.service
    service = f"<b>{plain(row.service or 'unnamed', _MOST_LABEL)}</b>"
    if not row.step:
        return service
    step = plain(row.step, _MOST_LABEL)
    return f"{service} {step}" if first else f"   {step}"


def _length(label: str) -> int:
    return len(label.replace("<b>", "").replace("</b>", ""))


def bands(places: Layout, palette: Palette) -> Iterator[dict[str, Any]]:
    """Every other service on a ground of its own, from label to edge."""
    number, service = 0, None
    for place, row in enumerate(places.rows):
        if row.service != service:
            number, service = number + 1, row.service
        if number % 2:
            yield {
                "type": "rect", "xref": "paper", "x0": -1, "x1": 1, "layer": "below",
                "y0": places.tops[place], "y1": places.tops[place + 1],
                "fillcolor": palette.surface, "line": {"width": 0},
            }  # fmt: skip
