"""Every page and section, in light and dark, narrow and wide."""

import pytest
from playwright.sync_api import expect

from otel_kit.explorer.views.saga import SECTIONS
from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages

LOOKS = pytest.mark.parametrize(
    ("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 1920), ("dark", 1920)]
)


def _look(pages: Pages, theme: str, width: int) -> None:
    pages.tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    pages.tab.set_viewport_size({"width": width, "height": 1000})


@LOOKS
def test_every_page_is_sound(pages: Pages, theme: str, width: int) -> None:
    """No page fails or is wider than the window."""
    _look(pages, theme, width)
    pages.open().is_sound()
    for name in pages.names():
        pages.elsewhere(name).is_sound()


@LOOKS
def test_every_section_of_a_saga_is_sound(pages: Pages, theme: str, width: int) -> None:
    """Nor does any view of a saga with retries, an undone step and errors."""
    _look(pages, theme, width)
    pages.open("saga", id=world.COMPENSATED).is_sound()
    for section in SECTIONS.values():
        button = pages.tab.get_by_test_id("stButtonGroup").get_by_role("radio", name=section.title)
        button.click()
        expect(button).to_be_checked()
        pages.settled().is_sound()
