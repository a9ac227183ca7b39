"""Who asks goes first, and what comes in is taken in all the same."""

import asyncio
import threading

import pytest

from otel_kit.embedded import answering
from otel_kit.embedded.answering import Answering
from otel_kit.embedded.config import Config
from otel_kit.embedded.intake import SIGNALS, Intake
from otel_kit.embedded.store import Store
from tests.embedded import build


def _asked(turns: Answering, *, until: threading.Event) -> threading.Thread:
    """Somebody who is being answered until then, from now on."""
    begun = threading.Event()

    async def slow(*_: object) -> None:
        begun.set()
        await asyncio.to_thread(until.wait)

    app = turns.first(slow)
    asked = threading.Thread(target=lambda: asyncio.run(_call(app)))
    asked.start()
    assert begun.wait(10)
    return asked


async def _call(app: answering.ASGIApp) -> None:
    await app({"type": "http"}, None, None)  # type: ignore[arg-type]  # nothing is read or sent


def test_what_comes_in_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_MOMENT_S", 60)
    turns, until, order = Answering(), threading.Event(), list[str]()
    asked = _asked(turns, until=until)

    def come_in() -> None:
        turns.give_way()
        order.append("came in")

    coming = threading.Thread(target=come_in)
    coming.start()
    coming.join(0.05)
    order.append("answered")
    until.set()
    for thread in (asked, coming):
        thread.join(10)

    assert order == ["answered", "came in"]


def test_an_answer_without_end_does_not_stop_what_comes_in() -> None:
    store, until = Store(Config()), threading.Event()
    asked = _asked(store.answering, until=until)
    try:
        intake = Intake(store, max_body=2**20)
        for _ in range(3):
            intake.accept(SIGNALS[0], build.traces([build.span("hop")]).SerializeToString())
        assert store.health().spans == 3
    finally:
        until.set()
        asked.join(10)
        store.close()
