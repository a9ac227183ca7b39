"""A real browser, and the real explorer of a collector that holds sagas of every kind."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.embedded.running import Client, collector
from tests.explorer.browser.chromium import chromium
from tests.explorer.browser.walking import Pages
from tests.explorer.browser.world import fill
from tests.explorer.serving import explorer


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all, with one browser and one explorer."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(180))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure tells what was on the page."""
    report = yield
    tab = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and tab is not None:
        report.sections.append((f"The page {tab.url}", tab.locator("body").inner_text()))
    return report


# Of the package, not of the session: while Playwright runs, no asyncio test can.
@pytest.fixture(scope="package")
def context() -> Iterator[BrowserContext]:
    """One for all, so that the explorer's scripts are loaded once."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    """Of a collector that is full."""
    with collector() as found:
        fill(found)
        yield found


@pytest.fixture(scope="package")
def base_url(client: Client) -> Iterator[str]:
    """Of the explorer of that collector."""
    with explorer("--url", client.query_url) as running:
        yield running.url


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A new tab, in which no script may fail."""
    tab = context.new_page()
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on(
        "console",
        lambda message: (
            message.type == "error"
            and not _is_probe(message.location["url"])
            and problems.append(f"{message.text} ({message.location['url']})")
        ),
    )
    yield tab
    tab.close()
    assert problems == []


def _is_probe(url: str) -> bool:
    """Streamlit looks for itself below the page of a deep link first, and there finds nothing."""
    return re.search(r"/\w+/_stcore/(health|host-config)$", url) is not None


@pytest.fixture
def pages(page: Page, base_url: str) -> Pages:
    """The explorer, in a tab."""
    return Pages(page, base_url)
