"""A saga that someone saved: opened from a file, looked at like any other."""

from typing import Final

import streamlit as st

from otel_kit.explorer.model import bundle
from otel_kit.explorer.source import BundleSource, CannotOpen
from otel_kit.explorer.views import links, reading, shell
from otel_kit.explorer.views.markdown import plain

_MAX_MB: Final = bundle.MAX_BYTES // 1024**2


def page() -> None:
    """A place to drop the file; one that can be opened leads to its saga."""
    shell.heading("Open a saga's file")
    st.markdown(
        "**Save as file**, on the page of a saga, keeps it with its traces, logs and the metrics "
        "around it.  Here it is opened again, on any machine; nobody else sees what you open."
    )
    given = st.file_uploader(
        "Saga file", type="json", max_upload_size=_MAX_MB, label_visibility="collapsed"
    )
    if given is None:
        return
    try:
        opened = BundleSource(given.name, given.getvalue())
    except CannotOpen as problem:
        st.error(plain(str(problem)), icon=":material/broken_image:")
        return
    reading.look_at(opened)
    links.go(links.to_saga(opened.saga_id))


def banner() -> None:
    """Says on every page that a file is open, and closes it."""
    opened = reading.opened_file()
    if opened is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="file_banner"):
        st.info(f"A file is open: {plain(opened.label)}.", icon=":material/draft:")
        if st.button("Close file", icon=":material/close:"):
            reading.look_at(None)
            links.go(links.to(links.SAGAS))
