"""Every page and section, in light and dark, narrow and wide."""

from typing import Literal

import pytest

from otel_kit.explorer.views.saga import SECTIONS
from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages

THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


def _is_sound(pages: Pages) -> None:
    for width in (1920, 1280):
        pages.tab.set_viewport_size({"width": width, "height": 1000})
        pages.is_sound()


@THEMES
def test_every_page_is_sound(pages: Pages, theme: Literal["light", "dark"]) -> None:
    """No page fails or is wider than the window."""
    pages.tab.emulate_media(color_scheme=theme)
    pages.open()
    for name in pages.names():
        _is_sound(pages.elsewhere(name))


@pytest.mark.parametrize(
    ("saga_id", "theme"),
    [(world.COMPENSATED, "light"), (world.COMPENSATED, "dark"), (world.STUCK, "dark")],
)
def test_every_section_of_a_saga_is_sound(
    pages: Pages, saga_id: str, theme: Literal["light", "dark"]
) -> None:
    """Nor does any view of a saga with retries and an undone step, or of one in progress."""
    pages.tab.emulate_media(color_scheme=theme)
    pages.open("saga", id=saga_id)
    for section in SECTIONS.values():
        _is_sound(pages.section(section.title))
