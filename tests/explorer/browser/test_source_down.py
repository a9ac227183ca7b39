"""A collector that is not there, comes, goes and comes again."""

from playwright.sync_api import Page, expect

from tests.embedded.running import collector
from tests.explorer.browser.walking import Pages
from tests.explorer.building import order
from tests.explorer.feeding import feed
from tests.explorer.serving import explorer


def test_pages_recover_by_themselves(page: Page) -> None:
    """Until it answers a sentence says so, and then the page fills without a click."""
    with collector() as first:
        url = first.query_url
    port = int(url.rpartition(":")[2])
    down = page.get_by_text(f"{url} does not answer")
    with explorer("--url", url) as running:
        pages = Pages(page, running.url).open()
        expect(down.first).to_be_visible()
        pages.is_sound()
        with collector(query_port=port) as client:
            feed(client, order("ORD-1"))
            expect(pages.row("ORD-1")).to_be_visible()
            expect(down).to_have_count(0)
        expect(down.first).to_be_visible()
        pages.is_sound()
        with collector(query_port=port) as client:
            feed(client, order("ORD-2"))
            expect(pages.row("ORD-2")).to_be_visible()
            expect(down).to_have_count(0)
