"""Steps through the explorer, as a visitor takes them."""

from dataclasses import dataclass
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

_SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
_FITS = """() => [document.documentElement, document.querySelector('[data-testid="stMain"]')]
    .every(node => node.scrollWidth <= node.clientWidth)"""
_FAILED = '[data-testid="stException"]'


@dataclass(frozen=True)
class Pages:
    """The explorer in a tab."""

    tab: Page
    url: str

    def open(self, path: str = "", **parameters: str) -> "Pages":
        """Follow a link into the explorer from outside."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        self.tab.goto(f"{self.url}/{path}{query}")
        return self.settled()

    def settled(self) -> "Pages":
        """Wait until the page is drawn."""
        self.tab.wait_for_selector(_SETTLED)
        expect(self.tab.get_by_test_id("stSkeleton")).to_have_count(0)
        return self

    def row(self, saga_id: str) -> Locator:
        """The link to a saga in the list."""
        return self.tab.get_by_role("link", name=saga_id, exact=True)

    def rows(self) -> Locator:
        """The links to all sagas in the list."""
        return self.tab.locator("td.id a")

    def search(self, text: str) -> None:
        """Type into the search box."""
        self.tab.get_by_label("Business id").press_sequentially(text)

    def tile(self, state: str) -> Locator:
        """The count of a state."""
        return self.tab.get_by_label("Sagas by state").get_by_role("link").filter(has_text=state)

    def sentence(self) -> Locator:
        """What explains a saga."""
        return self.tab.locator("p.sentence")

    def section(self, title: str) -> "Pages":
        """Look at a saga in another way."""
        button = self.tab.get_by_test_id("stButtonGroup").get_by_role("radio", name=title)
        button.click()
        expect(button).to_be_checked()
        return self.settled()

    def elsewhere(self, name: str) -> "Pages":
        """Go to a page by the navigation on top."""
        self.tab.get_by_test_id("stTopNavLink").filter(has_text=name).click()
        return self.settled()

    def names(self) -> list[str]:
        """The pages in the navigation."""
        found = self.tab.get_by_test_id("stTopNavLink").all_inner_texts()
        return [text.splitlines()[-1] for text in found]  # after that of the icon

    def is_sound(self) -> None:
        """Nothing failed, and nothing sticks out to the side."""
        expect(self.tab.locator(_FAILED)).to_have_count(0)
        self.tab.wait_for_function(_FITS)
