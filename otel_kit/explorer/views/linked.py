"""A piece of HTML of our own, whose links go to other pages without a reload.

Streamlit's tables are drawn on a canvas, which can neither be read aloud nor hold a link; a list
of sagas is a list of links.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

import streamlit as st

from otel_kit.explorer.views import links

_HERE: Final = Path(__file__).parent


class Linked:
    """HTML in the style of the file ``NAME.css``; `styles` are others that it shares."""

    def __init__(self, name: str, *styles: str) -> None:
        css = "".join((_HERE / f"{style}.css").read_text() for style in ("linked", *styles, name))
        script = (_HERE / "linked.js").read_text()
        self._mount = st.components.v2.component(
            f"otel_kit_{name}", html="<main></main>", css=css, js=script
        )

    def show(self, html: str, *, key: str, colours: Mapping[str, str] | None = None) -> None:
        """Show `html`, of which every text must have been escaped; follow a clicked link.

        `colours` become CSS variables of these names.
        """
        style = ";".join(f"--{name}:{value}" for name, value in (colours or {}).items())
        styled = f'<div style="{escape(style)}">{html}</div>'
        clicked: Any = self._mount(data={"html": styled}, key=key, on_address_change=lambda: None)
        if clicked.address:
            links.go(clicked.address)
