"""The list of sagas: search, filters, pages, live refresh."""

import re

from playwright.sync_api import expect

from tests.embedded.running import Client
from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages
from tests.explorer.building import order
from tests.explorer.feeding import feed


def test_a_part_of_an_id_leads_to_the_saga(pages: Pages) -> None:
    """Someone who knows some characters of an order number finds out what happened to it."""
    pages.open().search("7F-COMP")
    expect(pages.rows()).to_have_count(1)
    pages.row(world.COMPENSATED).click()
    expect(pages.sentence()).to_contain_text("reserve-inventory was undone")
    assert f"/saga?id={world.COMPENSATED}" in pages.tab.url


def test_a_search_stands_in_the_address(pages: Pages) -> None:
    """The address of a search opens the same list elsewhere; one that finds nothing says so."""
    pages.open(q="9A-S", state="stuck")
    expect(pages.rows()).to_have_text([world.STUCK])
    pages.open(q="nobody")
    expect(pages.tab.get_by_text("No saga has “nobody” in its id.")).to_be_visible()


def test_a_tile_filters_by_state(pages: Pages) -> None:
    """A click on a count shows those sagas, a second one all."""
    pages.open().tile("stuck").click()
    expect(pages.rows()).to_have_text([world.STUCK])
    expect(pages.tab).to_have_url(re.compile("state=stuck"))
    pages.tile("stuck").click()
    expect(pages.rows()).to_have_count(25)


def test_further_pages_follow(pages: Pages) -> None:
    """The list goes on where the first page ended."""
    pages.open(q="ORD-00")
    first = pages.rows().all_inner_texts()
    pages.tab.get_by_role("button", name="Next page").click()
    expect(pages.rows()).to_have_count(world.COMPLETED - 25)
    assert not {*first} & {*pages.rows().all_inner_texts()}
    pages.tab.get_by_role("button", name="First page").click()
    expect(pages.rows()).to_have_text(first)


def test_a_live_list_keeps_its_place(pages: Pages, client: Client) -> None:
    """A new saga comes in by itself; search, page and scroll position stay."""
    pages.open().search("ORD-")
    expect(pages.rows()).to_have_count(25)
    pages.tab.evaluate("window.sameDocument = true")
    pages.tab.get_by_test_id("stMain").evaluate("node => node.scrollTop = 120")
    feed(client, order("ORD-NEW"), seconds_ago=1)
    expect(pages.row("ORD-NEW")).to_be_attached()
    assert pages.tab.evaluate("window.sameDocument")
    assert pages.tab.get_by_test_id("stMain").evaluate("node => node.scrollTop") == 120
    expect(pages.tab.get_by_label("Business id")).to_have_value("ORD-")
