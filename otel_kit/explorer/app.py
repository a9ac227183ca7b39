"""The script that Streamlit runs for each visitor: ``otel-kit explore`` starts it."""

import streamlit as st

from otel_kit.explorer.views import (
    breakers,
    compare,
    edges,
    links,
    open_file,
    propagation,
    queues,
    saga,
    sagas,
    service_map,
    shell,
)

st.set_page_config(page_title="otel_kit", page_icon=str(shell.LOGO), layout="wide")
st.html(shell.STYLE)
PAGES = [
    st.Page(sagas.page, title="Sagas", icon=":material/list_alt:", default=True),
    st.Page(service_map.page, title="Map", icon=":material/hub:", url_path=links.MAP),
    st.Page(edges.page, title="Edges", icon=":material/swap_horiz:", url_path=links.EDGES),
    st.Page(queues.page, title="Queues", icon=":material/stacks:", url_path=links.QUEUES),
    st.Page(breakers.page, title="Breakers", icon=":material/power_off:", url_path=links.BREAKERS),
    st.Page(
        propagation.page, title="Propagation", icon=":material/link:", url_path=links.PROPAGATION
    ),
    st.Page(
        compare.page, title="Compare", icon=":material/compare_arrows:", url_path=links.COMPARE
    ),
    st.Page(saga.page, title="Saga", url_path=links.SAGA, visibility="hidden"),
    st.Page(open_file.page, title="Open file", icon=":material/draft:", url_path=links.FILE),
]
chosen = st.navigation(PAGES, position="top")
links.know(PAGES, chosen)
open_file.banner()
chosen.run()
shell.foot()
