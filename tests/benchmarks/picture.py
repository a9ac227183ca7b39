"""The results as a picture: one panel a kind of work, one bar a subject.

    python -m tests.benchmarks.picture   draws it again from results.json

Greys that can be read on light and on dark pages, no background.
"""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from tests.benchmarks import peers
from tests.benchmarks.figures import BARE, Results, Spread
from tests.benchmarks.work import WORK

RESULTS: Final = Path(__file__).parent / "results.json"
PICTURE: Final = Path(__file__).parents[2] / "docs" / "pictures" / "benchmarks.svg"

_OURS: Final = "otel_kit"
_INK, _BAR, _ACCENT = "#7d8590", "#8c959f", "#1a9e77"
_WIDTH, _COLUMNS = 960, 2
_PANEL, _LABEL, _VALUE = _WIDTH // _COLUMNS, 150, 70
_ROW, _HEAD, _TOP = 20, 34, 30


def svg(results: Results) -> str:
    """A whole SVG document."""
    shown = [subject for subject in results.data["subjects"] if subject != BARE]
    height = _HEAD + _ROW * len(shown) + 12
    rows = -(-len(WORK) // _COLUMNS)
    total = _TOP + rows * height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {total}" '
        f'width="{_WIDTH}" height="{total}" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(_title(results))}</title>",
        _text(8, 18, _title(results)),
    ]
    for number, (work, title) in enumerate(WORK.items()):
        left = number % _COLUMNS * _PANEL
        parts += _panel(results, work, title, shown, left, _TOP + number // _COLUMNS * height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _title(results: Results) -> str:
    machine = results.data["machine"]
    return (
        f"µs of CPU that a hop adds to the bare application, export included, everything sampled "
        f"(Python {machine['python']}, {machine['cores']} cores)"
    )


def _panel(
    results: Results, work: str, title: str, subjects: list[str], left: int, top: int
) -> Iterator[str]:
    yield _text(left + 8, top + 22, title, weight="bold")
    values = {subject: results.added(subject, work, 1.0) for subject in subjects}
    longest = max((max(found) for found in values.values() if found), default=1.0)
    for number, (subject, found) in enumerate(values.items()):
        y = top + _HEAD + number * _ROW
        ours = subject == _OURS
        yield _text(
            left + _LABEL, y + 14, peers.load(subject).title, anchor="end", color=_color(ours)
        )
        if not found:
            reason = results.missing(subject, work) or "not measured"
            yield _text(left + _LABEL + 8, y + 14, reason, opacity=0.7)
            continue
        yield from _bar(Spread.of(found), longest, left + _LABEL + 8, y, ours)


def _bar(spread: Spread, longest: float, x: int, y: int, ours: bool) -> Iterator[str]:
    """A bar to the median, and a thin line over the spread."""
    scale = (_PANEL - _LABEL - _VALUE) / longest
    width, low, high = (
        max(0.0, value) * scale for value in (spread.median, spread.low, spread.high)
    )
    fill = _ACCENT if ours else _BAR
    yield f'<rect x="{x}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="{fill}"/>'
    yield (
        f'<line x1="{x + low:.1f}" x2="{x + high:.1f}" y1="{y + 10}" y2="{y + 10}" '
        f'stroke="{_INK}" stroke-width="2"/>'
    )
    yield _text(x + max(width, high) + 6, y + 14, f"{spread.median:.0f}", color=_color(ours))


def _color(ours: bool) -> str:
    return _ACCENT if ours else _INK


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    color: str = _INK,
    weight: str = "normal",
    opacity: float = 1,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" fill="{color}" font-weight="{weight}" '
        f'opacity="{opacity:g}">{escape(text)}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(svg(Results(json.loads(RESULTS.read_text()))))
