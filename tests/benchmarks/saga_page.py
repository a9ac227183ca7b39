"""How long the explorer takes to show a large saga, in a browser: 20 traces, 10,000 spans.

    python -m tests.benchmarks.saga_page [--visits 5]

The view is there when the sentence and the timeline are drawn.  It is opened by its address, which
also starts Streamlit in the browser (what a saga of eighteen spans takes tells how long that is),
and by a click in the list.  The first visit also loads the explorer's scripts and reads the saga.
Exits with 1 if the median of the clicks is over `LIMIT_S`.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Page

from tests.embedded.running import collector
from tests.explorer.browser.chromium import chromium
from tests.explorer.browser.walking import Pages
from tests.explorer.building import Made, order
from tests.explorer.feeding import feed
from tests.explorer.serving import explorer

LIMIT_S: Final = 2.0
_LARGE: Final = "ORD-LARGE"
_SMALL: Final = "ORD-SMALL"
_TRACES: Final = 20
_SPANS: Final = 500
"""Of one trace."""
_MESSAGES: Final = 45
_SERVICES: Final = (
    "inventory", "billing", "bank", "notifications", "analytics", "shipping",
)  # fmt: skip
_CALL: Final[dict[str, Any]] = {
    "http__route": "/charges/{id}",
    "http__request__method": "POST",
    "http__response__status_code": 200,
    "url__full": "http://bank:8080/charges/7",
}


def main() -> int:
    """Store the saga, visit its page, print how long each visit took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--visits", type=int, default=5)
    visits = parser.parse_args().visits
    with collector() as client:
        made = feed(client, _saga(), seconds_ago=120)
        feed(client, order(_SMALL))
        print(f"{len(made.spans):,} spans in {_TRACES} traces")
        print("small, by address   large, by address   large, by a click")
        with explorer("--url", client.query_url) as running, chromium() as context:
            clicks = [_visit(Pages(context.new_page(), running.url)) for _ in range(visits + 1)]
    return int(statistics.median(clicks) > LIMIT_S)


def _visit(pages: Pages) -> float:
    """Seconds for the click."""
    tab = pages.tab
    small = _seen(tab, lambda: tab.goto(f"{pages.url}/saga?id={_SMALL}"))
    pages.open()
    click = _seen(tab, pages.row(_LARGE).click)
    tab.goto("about:blank")
    large = _seen(tab, lambda: tab.goto(f"{pages.url}/saga?id={_LARGE}"))
    tab.close()
    print(f"{small:15.2f} s {large:17.2f} s {click:17.2f} s")
    return click


def _seen(tab: Page, opening: Callable[[], object]) -> float:
    began = time.monotonic()
    opening()
    tab.wait_for_selector("p.sentence")
    tab.wait_for_selector(".js-plotly-plot .bars path", state="attached")
    return time.monotonic() - began


def _saga() -> Made:
    made, chance = Made(_LARGE), random.Random(7)
    for trace in range(1, _TRACES + 1):
        _trace(made, trace, chance)
    return made


def _trace(made: Made, trace: int, chance: random.Random) -> None:
    """Commands to services, each a step with calls; the rest are queries."""
    start = trace * 2000
    before = len(made.spans)
    root = made.span(f"batch {trace}", start, start + 1800, "orders", "server", trace=trace)
    sent = start + 5.0
    for number in range(_MESSAGES):
        service = chance.choice(_SERVICES)
        taken = sent + 1 + chance.expovariate(1 / 20)
        done = taken + 5 + chance.expovariate(1 / 25)
        ends = ("orders", service)
        handled = made.message(f"{service}.commands", sent, taken, done, ends, root)
        error = "timeout" if chance.random() < 0.03 else ""
        name = f"{service}-step-{number % 3}"
        step = made.step(name, taken + 0.5, done - 0.5, service, under=handled, error=error)
        for call in range(3):
            begun, length = taken + 1 + call, (done - taken) / 5
            inside = (begun + length * 0.2, begun + length * 0.8)
            made.call(begun, begun + length, (service, "bank"), inside, step, **_CALL)
        sent += chance.expovariate(1 / 35)
    while len(made.spans) - before < _SPANS:
        begun = start + chance.random() * 1700
        made.span("SELECT stock", begun, begun + 8 * chance.random(), "inventory", under=root)


if __name__ == "__main__":
    sys.exit(main())
