"""A saga's page, and a saga's file."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.explorer.browser import world
from tests.explorer.browser.walking import Pages


@pytest.mark.parametrize(
    ("saga_id", "said"),
    [
        (world.COMPENSATED, "Compensated after"),
        (world.STUCK, "charge-payment"),
        (world.BROKEN, "charge-payment"),
        ("ORD-0003", "Completed after"),
    ],
)
def test_a_deep_link_opens_the_saga(pages: Pages, saga_id: str, said: str) -> None:
    """The address of a saga is enough, and the page says what happened."""
    pages.open("saga", id=saga_id)
    expect(pages.tab.get_by_role("heading", name=saga_id)).to_be_visible()
    expect(pages.sentence()).to_contain_text(said)


def test_what_is_missing_is_said(pages: Pages) -> None:
    """A hop that lost its context is named, and so is an order that nobody knows."""
    pages.open("saga", id=world.BROKEN)
    expect(pages.tab.get_by_text("Something is missing").first).to_be_visible()
    pages.open("saga", id="ORD-NOPE")
    expect(pages.tab.get_by_text("has no saga “ORD-NOPE”")).to_be_visible()


def test_a_saga_goes_through_a_file(pages: Pages, tmp_path: Path) -> None:
    """Saved, opened again, it says the same; every page says that a file is open, until closed."""
    pages.open("saga", id=world.COMPENSATED)
    live = pages.sentence().inner_text()
    with pages.tab.expect_download() as saved:
        pages.tab.get_by_role("button", name="Save as file").click()
    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)
    assert file.name == f"{world.COMPENSATED}.otel-kit.json"

    pages.open("file").tab.locator("input[type=file]").set_input_files(file)
    expect(pages.tab.get_by_text(f"A file is open: file {file.name}")).to_be_visible()
    expect(pages.sentence()).to_have_text(live)
    pages.elsewhere("Sagas")
    expect(pages.rows()).to_have_text([world.COMPENSATED])
    expect(pages.tab.get_by_text("A file is open")).to_be_visible()
    pages.tab.get_by_role("button", name="Close file").click()
    expect(pages.rows()).to_have_count(25)
    expect(pages.tab.get_by_text("A file is open")).to_have_count(0)


def test_a_file_that_is_no_saga_is_refused_in_a_sentence(pages: Pages, tmp_path: Path) -> None:
    """What is wrong with it, and nothing else changes."""
    (tmp_path / "broken.json").write_text('{"format": "otel-kit.saga", "version": 99}')
    pages.open("file").tab.locator("input[type=file]").set_input_files(tmp_path / "broken.json")
    refusal = "broken.json cannot be opened: the bundle has version 99, this explorer reads 1."
    expect(pages.tab.get_by_text(refusal)).to_be_visible()
    expect(pages.tab.get_by_text("A file is open")).to_have_count(0)
