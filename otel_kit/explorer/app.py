"""The script that Streamlit runs for each visitor: ``otel-kit explore`` starts it."""

import streamlit as st

from otel_kit.explorer.views import links, open_file, saga, sagas, shell

st.set_page_config(page_title="otel_kit", page_icon=str(shell.LOGO), layout="wide")
st.html(shell.STYLE)
PAGES = [
    st.Page(sagas.page, title="Sagas", icon=":material/list_alt:", default=True),
    st.Page(saga.page, title="Saga", url_path=links.SAGA, visibility="hidden"),
    st.Page(open_file.page, title="Open file", icon=":material/draft:", url_path=links.FILE),
]
chosen = st.navigation(PAGES, position="top")
links.know(PAGES, chosen)
open_file.banner()
chosen.run()
shell.foot()
