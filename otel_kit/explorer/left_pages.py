"""A timer of a page that was left must not blank the page that was gone to.

Streamlit runs a live fragment again when a timer in the browser says so.  One that goes off while
the visitor is on the way to another page names the page that he leaves; Streamlit takes that for a
change of pages, the browser throws away what it shows, and there is nothing to show instead.  The
run of a fragment changes no page: here it is told which one is shown.  Seen with Streamlit 1.67.
"""

from dataclasses import replace
from functools import wraps
from typing import Any

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner


def stay_away() -> None:
    """Mend Streamlit, in this process; a future version that is built otherwise is left alone."""
    run = getattr(ScriptRunner, "_run_script", None)
    if run is None or hasattr(run, "__wrapped__"):
        return

    @wraps(run)
    def mended(runner: Any, rerun_data: Any) -> None:
        run(runner, _on_the_page_shown(runner, rerun_data))

    ScriptRunner._run_script = mended  # type: ignore[method-assign, assignment]


def _on_the_page_shown(runner: Any, rerun_data: Any) -> Any:
    try:
        if rerun_data.fragment_id_queue:
            shown = runner._pages_manager.current_page_script_hash
            return replace(rerun_data, page_script_hash=shown) if shown else rerun_data
    except (AttributeError, TypeError):
        pass
    return rerun_data
