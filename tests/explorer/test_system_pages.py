"""Map, edges, queues, breakers, propagation: pages of a real collector, full and empty."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from otel_kit.explorer.views import reading
from tests.embedded import build
from tests.embedded.running import Client, collector
from tests.explorer.building import order
from tests.explorer.feeding import feed, figures
from tests.explorer.visiting import charts_of, exploring, html_of, visit


def map_page() -> None:
    """The service map."""
    import streamlit as st

    from otel_kit.explorer.views import links, service_map

    links.know([], st.Page(service_map.page, url_path=links.MAP))
    service_map.page()


def edges_page() -> None:
    """All pairs of services."""
    from otel_kit.explorer.views import edges

    edges.page()


def queues_page() -> None:
    """Queues."""
    from otel_kit.explorer.views import queues

    queues.page()


def breakers_page() -> None:
    """Circuit breakers."""
    from otel_kit.explorer.views import breakers

    breakers.page()


def propagation_page() -> None:
    """What became of the context."""
    from otel_kit.explorer.views import propagation

    propagation.page()


PAGES = (map_page, edges_page, queues_page, breakers_page, propagation_page)


@pytest.fixture
def client() -> Iterator[Client]:
    """A new, empty collector, which the pages read from."""
    with collector() as found, exploring(found):
        yield found


@pytest.fixture
def full(client: Client) -> Client:
    """One with an order and the figures around it."""
    feed(client, order("ORD-1"))
    client.send(build.metrics(figures(2), service="billing"))
    return client


def _cells(visited: AppTest, row: int = 0) -> dict[str, object]:
    [table] = visited.dataframe
    found: dict[str, object] = table.value.iloc[row].to_dict()
    return found


def _clickable(visited: AppTest) -> set[tuple[str, ...]]:
    """What a click on the map can select."""
    [figure] = charts_of(visited)
    return {tuple(key) for trace in figure["data"] for key in trace.get("customdata", ())}


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_system_says_how_to_fill_it(client: Client, page: Callable[[], None]) -> None:
    """No table and no chart, but a hint."""
    visited = visit(page)

    assert "otel_kit." in visited.info[0].value
    assert (len(visited.dataframe), charts_of(visited)) == (0, [])


@pytest.mark.parametrize("page", PAGES)
def test_a_source_that_is_down_is_a_sentence(client: Client, page: Callable[[], None]) -> None:
    """And a button to try again; never a stack trace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_KIT_EXPLORER", '{"collector": "http://127.0.0.1:9"}')
        visited = visit(page)

    assert "does not answer" in visited.error[0].value
    assert visited.button[0].label == "Try again"


# -- the map ---------------------------------------------------------------------------------------


def test_the_map_shows_everything_and_what_hurts(full: Client) -> None:
    """Services, brokers and edges can be clicked; what is wrong stands beside them."""
    visited = visit(map_page)
    told = html_of(visited)

    assert _clickable(visited) == {
        ("orders",), ("billing",), ("kafka",),
        ("orders", "billing", "kafka"), ("orders", "kafka", "kafka"),
    }  # fmt: skip
    assert "33 % faults" in told
    assert "100 % arrive without context on <code>q</code>" in told


def test_an_edge_in_the_url_shows_its_facts_and_sagas(full: Client) -> None:
    """Calls, errors by class, quantiles, queue wait, and sagas that both services took part in."""
    visited = visit(map_page, client="orders", server="billing", transport="kafka")
    told = html_of(visited)

    assert "30 calls since the services began" in told
    assert "<td>timeout</td><td>10</td><td>33 %</td>" in told
    assert "In the queue" in told
    assert 'href="saga?id=ORD-1"' in told
    assert "orders and billing both took part" in visited.markdown[0].value


def test_an_edge_to_a_broker_lists_the_sagas_of_who_sends(full: Client) -> None:
    """A broker takes part in no saga."""
    visited = visit(map_page, client="orders", server="kafka", transport="kafka")

    assert visited.markdown[0].value == "##### Sagas in which orders took part"
    assert 'href="saga?id=ORD-1"' in html_of(visited)


def test_a_service_in_the_url_shows_its_edges(full: Client) -> None:
    """In and out, each a link that selects it."""
    told = html_of(visit(map_page, node="orders"))

    assert 'href="map?client=orders&amp;server=billing&amp;transport=kafka"' in told
    assert "<h3>Out</h3>" in told


def test_what_is_not_on_the_map_is_said(full: Client) -> None:
    """An old address is no failure."""
    visited = visit(map_page, client="orders", server="nobody", transport="http")

    assert "not on the map" in html_of(visited)


def test_a_sagas_path_is_drawn_over_the_map(full: Client) -> None:
    """Its edges in order, with a link to it; those that no metric knows are there as well."""
    visited = visit(map_page, saga="ORD-1")
    told = html_of(visited)

    assert "ORD" in visited.markdown[0].value
    assert 'href="saga?id=ORD-1"' in told
    assert told.index("unknown → web") < told.index("orders → billing")
    assert ("billing", "bank", "") in _clickable(visited)


def test_a_saga_that_is_not_there_leaves_the_map(full: Client) -> None:
    """With a word that it is not known."""
    visited = visit(map_page, saga="nobody")

    assert "nobody" in visited.warning[0].value
    assert ("orders", "billing", "kafka") in _clickable(visited)


# -- tables ----------------------------------------------------------------------------------------


def test_edges_have_their_figures_the_worst_first(full: Client) -> None:
    """Calls, shares, errors by class, quantiles in milliseconds; two charts below."""
    visited = visit(edges_page)
    cells = _cells(visited)

    assert (cells["Client"], cells["Server"], cells["Calls"]) == ("orders", "billing", 30)
    assert cells["Faults"] == pytest.approx(100 / 3)
    assert cells["Errors"] == "timeout 10"
    assert cells["Wait p50"] == pytest.approx(1500)
    assert "since the services began" in visited.caption[0].value
    assert len(charts_of(visited)) == 2


def test_edges_of_one_service(full: Client) -> None:
    """The filter stands in the URL."""
    [table] = visit(edges_page, service="kafka").dataframe

    assert list(table.value["Server"]) == ["kafka"]


def test_queues_have_their_waits_and_who_is_gone(full: Client) -> None:
    """A group that took messages and reports no more is said to be gone."""
    visited = visit(queues_page)
    cells = _cells(visited)

    assert (cells["State"], cells["Queue"], cells["Consumed"]) == (["consumer gone"], "q", 20)
    assert cells["Wait p50"] == pytest.approx(1.5)
    assert cells["Handled by"] == "billing"
    assert cells["Handling p50"] == pytest.approx(0.075)
    assert "billing" in visited.error[0].value


def test_the_backlog_is_read_while_one_looks(full: Client) -> None:
    """Two readings make a line and a forecast."""
    labels: dict[str, Any] = {"transport": "kafka", "destination": "jobs", "group": "billing"}
    full.send(build.metrics([build.gauge("otel_kit.queue.lag", 40, **labels)], service="billing"))
    visited = visit(queues_page)
    before = charts_of(visited)
    full.send(build.metrics([build.gauge("otel_kit.queue.lag", 20, **labels)], service="billing"))
    reading.forget()
    visited.run()
    [backlog] = [figure for figure in charts_of(visited) if "xaxis" in figure["layout"]
                 and figure["layout"]["xaxis"].get("type") == "date"]  # fmt: skip

    assert len(before) == 2
    assert [trace["y"] for trace in backlog["data"]] == [[40, 20], [20, 0]]
    assert _cells(visited, 1)["State"] == ["drains"]


def test_breakers_have_their_state(full: Client) -> None:
    """As a chip, with what they refused."""
    visited = visit(breakers_page)
    cells = _cells(visited)

    assert (cells["State"], cells["Breaker"], cells["In"]) == (["open"], "bank", "billing")
    assert cells["Refused"] == 6
    assert visited.metric[0].value == "1 of 1"


def test_lost_context_is_told_with_its_cause(full: Client) -> None:
    """How much, where, why; and as a chart."""
    visited = visit(propagation_page)
    cells = _cells(visited)

    assert (cells["Lost"], cells["Missing"], cells["Continued"]) == (100, 14, 0)
    assert "1 of 1 hop" in visited.warning[0].value
    assert str(cells["Likely cause"])
    assert len(charts_of(visited)) == 1


def test_when_all_is_well_the_page_says_so(client: Client) -> None:
    """Nothing lost: one sentence and the counts."""
    hop = {"client": "web", "server": "orders", "transport": "http", "destination": ""}
    continued = build.counter("otel_kit.propagation.messages", 5)
    continued.sum.data_points[0].attributes.extend(build.pairs({**hop, "result": "continued"}))
    client.send(build.metrics([continued], service="orders"))
    visited = visit(propagation_page)

    assert "All is well" in visited.success[0].value
    assert charts_of(visited) == []
