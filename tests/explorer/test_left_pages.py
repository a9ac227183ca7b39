"""A timer that goes off while its page is being left."""

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

from otel_kit.explorer import left_pages


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RerunData]:
    """What Streamlit is asked to run, of the runs that it is told of."""
    found: list[RerunData] = []
    monkeypatch.setattr(ScriptRunner, "_run_script", lambda _, data: found.append(data))
    left_pages.stay_away()
    return found


def _on(page: str) -> Any:
    """A visitor of that page, as far as it is looked at."""
    pages = PagesManager("app.py")
    pages.set_current_page_script_hash(page)
    return SimpleNamespace(_pages_manager=pages)


def test_a_late_timer_does_not_change_the_page(asked: list[RerunData]) -> None:
    """The browser would throw away what it shows, and nothing would come instead."""
    late = RerunData(page_script_hash="map", fragment_id_queue=["figure"], is_auto_rerun=True)
    ScriptRunner._run_script(_on("saga"), late)

    [run] = asked
    assert (run.page_script_hash, run.fragment_id_queue) == ("saga", ["figure"])


def test_going_to_a_page_does(asked: list[RerunData]) -> None:
    """A run of everything is left as it is."""
    wanted = RerunData(page_script_hash="saga")
    ScriptRunner._run_script(_on("map"), wanted)

    assert asked == [wanted]


def test_a_streamlit_that_is_built_otherwise_is_left_alone(asked: list[RerunData]) -> None:
    """Its runs are passed on untouched."""
    data = RerunData(page_script_hash="map", fragment_id_queue=["figure"])
    ScriptRunner._run_script(SimpleNamespace(), data)  # type: ignore[arg-type]

    assert asked == [data]


def test_streamlit_is_mended_once(asked: list[RerunData]) -> None:
    """However often it is asked for."""
    mended = ScriptRunner._run_script
    left_pages.stay_away()

    assert ScriptRunner._run_script is mended
