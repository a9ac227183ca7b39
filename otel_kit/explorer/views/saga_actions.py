"""What can be done with a saga: keep it as a file."""

import re

import streamlit as st

from otel_kit.explorer.model import bundle
from otel_kit.explorer.model.bundle import Bundle
from otel_kit.explorer.views.reading import Opened


def show(opened: Opened) -> None:
    """A button that saves the saga as it is seen now."""
    st.download_button(
        "Save as file",
        data=lambda: bundle.write(bundled(opened)),
        file_name=file_name(opened.detail.saga.id),
        mime="application/json",
        on_click="ignore",
        icon=":material/download:",
        help="With its traces, logs and the metrics around it, to open in any explorer",
    )


def bundled(opened: Opened) -> Bundle:
    """What is seen, as the file keeps it."""
    verdict = opened.verdict
    return Bundle(
        opened.detail, verdict.around, verdict.state, opened.sentence, opened.now_ns,
        verdict.usual, opened.window_s,
    )  # fmt: skip


def file_name(saga_id: str) -> str:
    """``ORDER-ID.otel-kit.json``, of letters that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", saga_id)[:100] + ".otel-kit.json"
