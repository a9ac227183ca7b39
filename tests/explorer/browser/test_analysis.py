"""Critical path, sequence, ledger, comparison: what a click on them does."""

import re

from playwright.sync_api import expect

from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages

_SPAN = re.compile(r"[?&]span=[0-9a-f]{32}\.[0-9a-f]{16}")


def test_a_click_on_a_piece_of_the_path_selects_its_span(pages: Pages) -> None:
    """Its address is in the URL, and its details are below."""
    pages.open("saga", id=world.COMPENSATED, view="path")
    expect(pages.tab.get_by_text("went into retry back-off in billing").last).to_be_visible()
    bars = pages.tab.locator(".st-key-path_strip .barlayer .point path")
    bars.nth(5).click(force=True)
    expect(pages.tab).to_have_url(_SPAN)


def test_a_click_on_an_arrow_selects_its_span(pages: Pages) -> None:
    """The first one is the request from outside."""
    pages.open("saga", id=world.COMPENSATED, view="sequence")
    points = pages.tab.locator(".js-plotly-plot .scatterlayer .points path.point")
    box = points.nth(3).bounding_box()
    assert box is not None
    pages.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(pages.tab.locator(".hoverlayer .hovertext")).to_contain_text("POST /orders")
    pages.tab.mouse.down()
    pages.tab.mouse.up()
    expect(pages.tab).to_have_url(_SPAN)


def test_a_step_of_the_ledger_leads_to_its_span(pages: Pages) -> None:
    """And the ledger stays open."""
    pages.open("saga", id=world.COMPENSATED, view="ledger")
    expect(pages.tab.get_by_text("1 action was undone.")).to_be_visible()
    pages.tab.get_by_role("link", name="charge-payment", exact=True).first.click()
    expect(pages.tab).to_have_url(_SPAN)
    expect(pages.tab).to_have_url(re.compile("view=ledger"))


def test_from_a_saga_to_a_comparison_with_another(pages: Pages) -> None:
    """The median first, then any other by its id; the URL names both."""
    pages.open("saga", id=world.COMPENSATED, view="compare")
    expect(pages.tab.get_by_text("the healthy median")).to_be_visible()
    pages.tab.get_by_role("button", name="Compare with another saga").click()
    pages.tab.get_by_label("Against").fill("ORD-0003")
    pages.tab.get_by_label("Against").press("Enter")
    expect(pages.tab.get_by_role("link", name="ORD-0003")).to_be_visible()
    expect(pages.tab).to_have_url(re.compile(f"a={world.COMPENSATED}.*b=ORD-0003"))
    pages.is_sound()
