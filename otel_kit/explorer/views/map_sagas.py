"""Below the map: the sagas of the selected edge or service."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import streamlit as st

from otel_kit.explorer.model import words
from otel_kit.explorer.model.service_map import EdgeKey, ServiceMap
from otel_kit.explorer.source import SagaSearch
from otel_kit.explorer.views import markdown, reading, saga_list, shell
from otel_kit.records import SagaRecord

_MOST: Final = 10
_PAGE: Final = 50
_PAGES: Final = 4


def show(drawn: ServiceMap, selected: EdgeKey | str | None) -> None:
    """The latest sagas in which the services at its ends took part; a source knows no more."""
    if selected is None:
        return
    names = selected[:2] if isinstance(selected, EdgeKey) else (selected,)
    reporting = {node.name for node in drawn.nodes if node.kind == "service"}
    services = [name for name in dict.fromkeys(names) if name in reporting]
    if not services:
        st.caption("No service that reports is at its ends, so no saga can be found by it.")
        return
    found = list(islice(_sagas(services), _MOST))
    st.markdown(f"##### Sagas in which {_took_part(services)}")
    if found:
        saga_list.show_rows(found, reading.now_ns(), shell.palette(), key="map_sagas")
    _explain(services, found)


def _sagas(services: Sequence[str]) -> Iterator[SagaRecord]:
    """The latest first, from a bounded number of pages."""
    source = reading.source()
    search = SagaSearch(service=services[-1], limit=_PAGE)
    for _ in range(_PAGES):
        page = source.find_sagas(search)
        yield from (row for row in page.rows if set(services) <= set(row.services))
        if page.next is None:
            return
        search = SagaSearch(service=services[-1], limit=_PAGE, cursor=page.next)


def _took_part(services: Sequence[str]) -> str:
    both = "both " if len(services) > 1 else ""
    return f"{words.listed([markdown.plain(name) for name in services])} {both}took part"


def _explain(services: Sequence[str], found: Sequence[SagaRecord]) -> None:
    last = markdown.plain(services[-1])
    said = []
    if not found:
        said.append(
            f"None among the latest {_PAGE * _PAGES} sagas of {last}. A batch of messages that is "
            "handled at once belongs to no single saga."
        )
    elif len(found) == _MOST:
        said.append(f"The latest {_MOST}.")
    if found and len(services) > 1:
        said.append(
            "A source finds sagas by service: that both took part need not mean that the saga "
            "passed this very edge; the map of a saga shows its way."
        )
    st.caption(" ".join(said))
