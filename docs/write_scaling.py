"""Writes the table of docs/scaling.md from `collector.sizing`: `make docs`."""

import re
from pathlib import Path
from typing import Final

from collector.sizing import Load, table

PAGE: Final = Path(__file__).with_name("scaling.md")
LOADS: Final = (Load(1e3), Load(1e5), Load(1e7), Load(1e7, kept=0.01))
_BETWEEN = re.compile(r"(?<=<!-- written by make docs -->\n).*?(?=<!-- to here -->)", re.DOTALL)


def page() -> str:
    """The whole page, with the table as it is to be."""
    return _BETWEEN.sub(table(LOADS), PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())
