"""``make screenshots``: pictures of the explorer, taken from a demo in which things go wrong."""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent / "pictures"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
WIDTH, HEIGHT = 1280, 720
MOST_HEIGHT = 1100
WAIT_S = 120.0
"""A saga counts as stuck after a minute of silence."""


class Picture(NamedTuple):
    """A page of the explorer in a theme."""

    name: str
    path: str
    theme: Any = "light"


class Demo(NamedTuple):
    """A running demo."""

    folder: Path
    explorer: str
    web: str
    query: str

    def switch(self, fault: str, state: str) -> None:
        """Break something, or mend it."""
        command = [sys.executable, "-m", "demo", "--dir", str(self.folder), "fault", fault, state]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def order(self) -> str:
        """Place an order; returns its id."""
        answer = httpx.post(f"{self.web}/orders", json={"sku": "kettle", "quantity": 2}, timeout=30)
        return str(answer.raise_for_status().json()["id"])

    def count(self, state: str) -> int:
        """How many sagas are in a state."""
        rows = httpx.get(f"{self.query}/api/saga_counts").json()["data"]
        return sum(row["count"] for row in rows if row["state"] == state)

    def wait_for(self, order_id: str, state: str) -> None:
        """Wait until the saga of an order is in a state."""
        url = f"{self.query}/api/sagas/{order_id}"
        wait(lambda: httpx.get(url).json().get("data", [{}])[0].get("state") == state)


def wait(found: Callable[[], bool]) -> None:
    """Until it is found; raises TimeoutError."""
    deadline = time.monotonic() + WAIT_S
    while not found():
        if time.monotonic() > deadline:
            raise TimeoutError("the demo did not get where the pictures need it")
        time.sleep(0.2)


@contextmanager
def demo() -> Iterator[Demo]:
    """Runs on free ports until the end, with 40 orders that go well."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "demo", "--ports", "auto", "--dir", folder]
        command += ["--orders", "40", "--rate", "10", "--explorer"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                urls = _urls(process)
                running = Demo(
                    Path(folder),
                    urls["explorer"],
                    urls["web"].removesuffix("/orders"),
                    urls["query"].removesuffix("/api/sagas"),
                )
                wait(lambda: running.count("completed") == 40)
                yield running
            finally:
                process.terminate()
                process.communicate()


def _urls(process: "subprocess.Popen[str]") -> dict[str, str]:
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        name, _, value = line.strip().partition(" ")
        found[name] = value.strip()
        if name == "logs":
            return found
    raise SystemExit("the demo did not start")


def pictures(running: Demo) -> list[Picture]:
    """Let things go wrong; the pages that show it."""
    running.switch("bank-down", "on")
    compensated = running.order()
    running.wait_for(compensated, "compensated")
    running.switch("compensation-fails", "on")
    running.wait_for(running.order(), "partially_compensated")
    running.switch("compensation-fails", "off")
    running.switch("bank-down", "off")
    running.switch("consumer-stalled", "on")
    running.order()  # the consumer may have taken one before it stalls
    stuck = running.order()
    running.wait_for(stuck, "stuck")
    return [
        Picture("sagas", ""),
        Picture("timeline", f"saga?id={compensated}"),
        Picture("timeline-dark", f"saga?id={compensated}", "dark"),
        Picture("critical-path", f"saga?id={compensated}&view=path"),
        Picture("sequence", f"saga?id={compensated}&view=sequence"),
        Picture("stuck", f"saga?id={stuck}", "dark"),
        Picture("map", "map"),
    ]


def take(browser: Browser, base: str, picture: Picture) -> None:
    """Write ``docs/pictures/NAME.png``, as high as the page."""
    viewport = {"width": WIDTH, "height": HEIGHT}
    with browser.new_context(viewport=viewport, color_scheme=picture.theme) as context:
        page = context.new_page()
        page.goto(f"{base}/{picture.path}")
        page.set_default_timeout(WAIT_S * 1000)
        page.get_by_text("Source: ").wait_for()  # the foot is drawn last
        page.wait_for_load_state("networkidle")
        page.evaluate("document.fonts.ready")
        block = page.get_by_test_id("stMainBlockContainer").bounding_box()
        height = min(round(block["y"] + block["height"]), MOST_HEIGHT) if block else HEIGHT
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.wait_for_timeout(1500)  # charts move to their new width
        _save(page.screenshot(), FOLDER / f"{picture.name}.png")


def _save(png: bytes, path: Path) -> None:
    """Of 256 colours, which is all that these pages have, and a quarter of the size."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(path, optimize=True)
    print(f"{path.relative_to(Path.cwd())}  {path.stat().st_size // 1024} KB")  # noqa: T201  # the command's output


def main() -> None:
    """Start everything, take the pictures, end everything."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    with demo() as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for picture in pictures(running):
            take(browser, running.explorer, picture)
        browser.close()


if __name__ == "__main__":
    main()
