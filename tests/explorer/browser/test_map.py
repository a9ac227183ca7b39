"""From the map to a saga, and back to its path over the map."""

import re

from playwright.sync_api import Page, expect

from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages

_PIXEL = """([x, y]) => {
  const drawn = document.querySelector(".js-plotly-plot"), {xaxis, yaxis} = drawn._fullLayout;
  const box = drawn.getBoundingClientRect();
  return [box.x + xaxis._offset + xaxis.d2p(x), box.y + yaxis._offset + yaxis.d2p(y)];
}"""
_ROUTE = """key => {
  for (const trace of document.querySelector(".js-plotly-plot").data)
    for (const [at, said] of (trace.customdata || []).entries())
      if (said.join() === key && (trace.customdata[at + 8] || []).join() === key)
        return [trace.x[at + 8], trace.y[at + 8]];
}"""


def _point_at(tab: Page, *key: str) -> tuple[float, float]:
    """Where on the screen an edge can be pointed at."""
    x, y = tab.evaluate(_PIXEL, tab.evaluate(_ROUTE, ",".join(key)))
    return x, y


def test_an_edge_leads_to_its_sagas_and_a_saga_to_its_path(pages: Pages) -> None:
    """Pointing at an edge tells its facts, a click lists its sagas, a saga shows its way."""
    tab = pages.open("map").tab
    expect(tab.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_visible()
    place = _point_at(tab, "orders", "billing", "kafka")
    tab.mouse.move(*place)
    expect(tab.locator(".hoverlayer")).to_contain_text("30 calls")

    tab.mouse.click(*place)
    expect(tab).to_have_url(re.compile("client=orders&server=billing&transport=kafka"))
    expect(tab.get_by_role("heading", name="both took part")).to_be_visible()
    pages.rows().first.click()
    tab.wait_for_url("**/saga?id=*")

    pages.settled().tab.get_by_role("link", name="On the map").click()
    tab.wait_for_url("**/map?saga=*")
    expect(tab.get_by_text("The way of")).to_be_visible()
    pages.settled().is_sound()


def test_an_edge_is_left_again(pages: Pages) -> None:
    """What is selected stands in the URL until it is cleared."""
    tab = pages.open("map", node="billing").tab
    expect(tab.get_by_role("heading", name="billing", exact=True)).to_be_visible()

    tab.get_by_role("link", name="clear").click()
    expect(tab).to_have_url(re.compile(r"/map(\?live=true)?$"))
    expect(tab.get_by_text("What hurts")).to_be_visible()


def test_a_row_of_the_edges_leads_to_the_map(pages: Pages) -> None:
    """Chosen in the table, selected on the map."""
    tab = pages.open("edges", live="false").tab
    table = tab.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    table.click(position={"x": 15, "y": 52})

    tab.wait_for_url("**/map?client=*")
    pages.settled().is_sound()


def test_the_path_of_a_saga_names_its_hops_in_order(pages: Pages) -> None:
    """Also those that no metric knows."""
    tab = pages.open("map", saga=world.COMPENSATED).tab
    way = tab.locator("tr").filter(has_text="→")

    expect(way.first).to_contain_text("1. unknown → web")
    expect(way.filter(has_text="billing → bank")).to_contain_text("5×")
