"""Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_PATIENCE_MS: Final = 30_000
"""How long a walk waits for what it looks for, on a machine that has much else to do."""


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A browser; skips where none is here.  Until the block ends, no asyncio test can run."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=_FLAGS) as browser,
        browser.new_context() as context,
    ):
        context.set_default_timeout(_PATIENCE_MS)
        expect.set_options(timeout=_PATIENCE_MS)
        yield context
