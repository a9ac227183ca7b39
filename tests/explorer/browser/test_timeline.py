"""The timeline: pointing, clicking, dragging."""

import re

from playwright.sync_api import FloatRect, Locator, expect

from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages

_CHART = ".st-key-timeline .js-plotly-plot"


def _chart(pages: Pages) -> Locator:
    chart = pages.tab.locator(_CHART)
    expect(chart.locator(".barlayer .point").first).to_be_attached()
    return chart


def _box(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None
    return box


def _longest(pages: Pages) -> tuple[float, float]:
    """The middle of the longest bar below the critical path, which is the first trace."""
    bars = _chart(pages).locator(".barlayer .trace.bars:nth-child(n+2) .point path")
    box = max((_box(bar) for bar in bars.all()), key=lambda box: box["width"])
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_pointing_at_a_bar_says_what_it_is(pages: Pages) -> None:
    """In a label beside it."""
    pages.open("saga", id=world.COMPENSATED).tab.mouse.move(*_longest(pages))
    expect(_chart(pages).locator(".hoverlayer")).to_contain_text("process billing.commands")


def test_a_click_opens_the_span_and_its_relatives(pages: Pages) -> None:
    """Its details, then those of its parent, and the way back; the section stays."""
    pages.open("saga", id=world.COMPENSATED).tab.mouse.click(*_longest(pages))
    title = pages.tab.locator(".st-key-span h2")
    expect(title).to_contain_text("process billing.commands")
    pages.tab.locator(".st-key-span a", has_text="send billing.commands").click()
    expect(title).to_contain_text("send billing.commands")
    pages.tab.go_back()
    expect(title).to_contain_text("process billing.commands")
    pages.tab.get_by_role("button", name="Close").click()
    expect(title).to_have_count(0)
    expect(pages.tab).to_have_url(re.compile(r"^[^&]*$"))


def test_a_drag_zooms_in_and_a_double_click_out(pages: Pages) -> None:
    """The address has the window, and the chart its details."""
    pages.open("saga", id=world.COMPENSATED)
    box = _box(_chart(pages))
    middle, mouse = box["y"] + box["height"] / 2, pages.tab.mouse
    mouse.move(box["x"] + box["width"] * 0.5, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.7, middle, steps=5)
    mouse.up()
    expect(pages.tab.get_by_role("button", name="Whole saga")).to_be_visible()
    expect(pages.tab).to_have_url(re.compile(r"zoom=\d+"))
    pages.settled()
    expect(_chart(pages)).not_to_contain_text("notifications")

    box = _box(_chart(pages))
    mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] - 12)
    expect(pages.tab.get_by_role("button", name="Whole saga")).to_have_count(0)
    expect(pages.tab).not_to_have_url(re.compile("zoom="))
