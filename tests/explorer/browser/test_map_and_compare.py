"""Comparison and map: where a click leads."""

import re

from playwright.sync_api import expect

from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages


def test_a_saga_is_compared_with_the_healthy_ones_and_with_another(pages: Pages) -> None:
    """What took longer and what was extra, against the median and against any saga."""
    pages.open("saga", id=world.COMPENSATED, view="compare")
    more = pages.tab.get_by_text(re.compile("more in charge-payment"))
    expect(more).to_be_visible()
    pages.tab.get_by_role("button", name="Compare with another saga").click()
    against = pages.tab.get_by_label("Against")
    against.fill("ORD-0003")
    against.press("Enter")
    expect(pages.tab.get_by_role("link", name="ORD-0003")).to_be_visible()
    expect(more).to_be_visible()


def test_the_map_leads_to_an_edge_and_its_sagas(pages: Pages) -> None:
    """A service and an edge are chosen by a click, and stand in the address."""
    pages.open("map")
    name = pages.tab.locator(".annotation-text", has_text="billing").bounding_box()
    assert name is not None
    above = 26  # the node stands above its name
    pages.tab.mouse.click(name["x"] + name["width"] / 2, name["y"] + name["height"] / 2 - above)
    expect(pages.tab).to_have_url(re.compile("node=billing"))
    expect(pages.tab.get_by_role("heading", name="billing", exact=True)).to_be_visible()
    pages.open("map", client="orders", server="billing", transport="kafka")
    expect(pages.tab.get_by_role("heading", name="orders → billing")).to_be_visible()


def test_a_sagas_path_is_drawn_over_the_map(pages: Pages) -> None:
    """The address of the map can carry a saga."""
    pages.open("map", saga=world.COMPENSATED)
    expect(pages.tab.get_by_text(f"The path of {world.COMPENSATED}")).to_be_visible()
