"""The script that Streamlit runs for each visitor: ``otel-kit explore`` starts it."""

import streamlit as st

from otel_kit.explorer.views import compare, links, saga, sagas, shell

st.set_page_config(page_title="otel_kit", page_icon=str(shell.LOGO), layout="wide")
st.html(shell.STYLE)
PAGES = [
    st.Page(sagas.page, title="Sagas", icon=":material/list_alt:", default=True),
    st.Page(
        compare.page, title="Compare", icon=":material/compare_arrows:", url_path=links.COMPARE
    ),
    st.Page(saga.page, title="Saga", url_path=links.SAGA, visibility="hidden"),
]
links.know(PAGES)
st.navigation(PAGES, position="top").run()
shell.foot()
