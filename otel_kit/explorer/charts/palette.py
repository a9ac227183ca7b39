"""The colours of everything that is drawn, for light and dark pages.

One meaning has one colour in every chart and list: waiting in a queue is always amber.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Palette:
    """CSS colours.

    `kinds` are those of a saga's time (segments and pieces of the critical path), `states` those
    of a saga, `series` for anything without a meaning of its own.
    """

    ink: str
    muted: str
    line: str
    surface: str
    page: str
    error: str
    good: str
    compensation: str
    kinds: Mapping[str, str]
    states: Mapping[str, str]
    series: tuple[str, ...]


LIGHT: Final = Palette(
    ink="#1a1f36",
    muted="#667085",
    line="#e1e4f0",
    surface="#f4f5fb",
    page="#ffffff",
    error="#d92d3a",
    good="#1a8f5c",
    compensation="#c13fa0",
    kinds={
        "work": "#4f6bed",
        "queue": "#f0a429",
        "network": "#27a3a3",
        "backoff": "#9a74e8",
        "rejected": "#e5484d",
        "open": "#a3abc4",
        "gap": "#c8cddd",
    },
    states={
        "running": "#3b62e0",
        "stuck": "#d97706",
        "completed": "#1a8f5c",
        "compensating": "#9a54d6",
        "compensated": "#b13f97",
        "partially_compensated": "#d9480f",
        "failed": "#d92d3a",
    },
    series=("#4f6bed", "#27a3a3", "#f0a429", "#c13fa0", "#9a74e8", "#6b8e23", "#e5734d", "#5f6b8a"),
)
DARK: Final = Palette(
    ink="#e6e8f4",
    muted="#98a1bd",
    line="#2a304a",
    surface="#171b2e",
    page="#0e1120",
    error="#ff6b74",
    good="#4cc38a",
    compensation="#e77ecb",
    kinds={
        "work": "#7c92ff",
        "queue": "#f5b94f",
        "network": "#4cc9c4",
        "backoff": "#b79bff",
        "rejected": "#ff6b74",
        "open": "#6d7695",
        "gap": "#3d4463",
    },
    states={
        "running": "#8ba0ff",
        "stuck": "#fbb040",
        "completed": "#4cc38a",
        "compensating": "#c69bff",
        "compensated": "#ee8fd3",
        "partially_compensated": "#ff9254",
        "failed": "#ff6b74",
    },
    series=("#7c92ff", "#4cc9c4", "#f5b94f", "#e77ecb", "#b79bff", "#a5c261", "#ff9d7a", "#98a1bd"),
)


def mixed(one: str, other: str, part: float) -> str:
    """The colour between two of the form ``#rrggbb``: `part` of the way, from 0 to 1."""
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)
