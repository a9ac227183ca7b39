"""The timeline, the span panel and the logs on a saga's page, from a real collector."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from tests.embedded.running import Client, collector
from tests.explorer.building import Made, order
from tests.explorer.feeding import feed
from tests.explorer.visiting import charts_of, exploring, html_of, saga_page, visit

Open = Callable[..., AppTest]


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a new, empty collector."""
    with collector() as found:
        yield found


@pytest.fixture
def opened(client: Client) -> Iterator[Open]:
    """Opens the page of a saga in the collector."""
    with exploring(client):
        yield partial(visit, saga_page)


def _chart(visitor: AppTest) -> str:
    [found] = [chart for chart in charts_of(visitor) if "annotations" in chart["layout"]]
    return str(found)


def _buttons(visitor: AppTest) -> list[str]:
    return [button.label for button in visitor.button]


def test_a_sagas_page_begins_with_its_timeline(client: Client, opened: Open) -> None:
    """All of it, with the critical path, and nothing to reset."""
    feed(client, order())
    visitor = opened(id="order-1")

    assert "critical path" in _chart(visitor)
    assert "reserve-inventory" in _chart(visitor)
    assert "Whole saga" not in _buttons(visitor)


def test_the_critical_path_can_be_left_out(client: Client, opened: Open) -> None:
    """By a switch."""
    feed(client, order())
    visitor = opened(id="order-1")
    visitor.toggle(key="path").set_value(False).run()

    assert "critical path" not in _chart(visitor)


def test_the_address_carries_the_window(client: Client, opened: Open) -> None:
    """A window in the address is shown, can be moved, and left for the whole saga again."""
    feed(client, order())
    visitor = opened(id="order-1", zoom="50~80")
    assert "charge-payment" in _chart(visitor)
    assert "reserve-inventory" not in _chart(visitor)
    assert any("50 ms to 80 ms of" in caption.value for caption in visitor.caption)

    next(button for button in visitor.button if button.label == "Earlier").click().run()
    assert visitor.query_params["zoom"] == "35.000~65.000"
    next(button for button in visitor.button if button.label == "Whole saga").click().run()
    assert "zoom" not in visitor.query_params
    assert "reserve-inventory" in _chart(visitor)


@pytest.mark.parametrize("zoom", ["", "nonsense", "5", "9~3", "nan~1", "1~inf", "1e300~1e301"])
def test_a_window_that_makes_no_sense_is_the_whole_saga(
    client: Client, opened: Open, zoom: str
) -> None:
    """Or the part of it that is nearest."""
    feed(client, order())
    visitor = opened(id="order-1", zoom=zoom)

    assert "queue wait" in _chart(visitor)


def test_long_waiting_leaves_a_way_to_what_happened(client: Client, opened: Open) -> None:
    """A sliver of bars beside a minute of waiting is one click away."""
    made = order()
    made.started("ship", 100, "shipping")
    feed(client, made, seconds_ago=60)
    visitor = opened(id="order-1")
    [closer] = [button for button in visitor.button if "in which it moved" in button.label]
    closer.click().run()

    first, last = map(float, visitor.query_params["zoom"].split("~"))
    assert (first, 100 < last < 200) == (0, True)
    assert "ship" in _chart(visitor)


def test_a_span_in_the_address_opens_the_panel(client: Client, opened: Open) -> None:
    """With its attributes, parent, children, events, log lines and resource, all as text."""
    made = order()
    step = next(span for span in made.spans if span.name == "charge-payment")
    made.started("charge-payment", 61, "billing", span_id=step.span_id)
    made.span("<script>", 62, 63, "billing", under=step, error="declined", reason="<b>no</b>")
    sent = feed(client, made)
    visitor = opened(id="order-1", span=f"{step.trace_id}.{step.span_id}")
    html = html_of(visitor)

    assert "<h2>charge-payment" in html
    for part in ("Attributes", "Resource", "Parent", "Children", "Log lines"):
        assert f"<h3>{part}" in html
    assert "process billing.commands" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert sent.logs[0].event_name in html

    next(button for button in visitor.button if button.label == "Close").click().run()
    assert "span" not in visitor.query_params
    assert "<h2>charge-payment" not in html_of(visitor)


def test_an_error_is_said_with_its_words(client: Client, opened: Open) -> None:
    """Escaped, as all that was received."""
    made = order()
    failed = made.span("pay", 62, 63, "billing", error="declined", reason="<b>no</b> money")
    feed(client, made)
    html = html_of(opened(id="order-1", span=f"{failed.trace_id}.{failed.span_id}"))

    assert "declined</span>" in html
    assert "&lt;b&gt;no&lt;/b&gt; money" in html


@pytest.mark.parametrize("key", ["0" * 32 + "." + "0" * 16, "<b>.<i>", "a.b.c"])
def test_a_span_that_is_not_there_is_said(client: Client, opened: Open, key: str) -> None:
    """And can be closed."""
    feed(client, order())
    visitor = opened(id="order-1", span=key)

    assert any("This saga has no span" in warning.value for warning in visitor.warning)
    assert "Close" in _buttons(visitor)


@pytest.mark.parametrize("view", ["timeline", "logs", "traces"])
def test_the_panel_is_below_every_section(client: Client, opened: Open, view: str) -> None:
    """Whatever one looks at, a span stays open."""
    made = feed(client, order())
    span = made.spans[0]
    visitor = opened(id="order-1", view=view, span=f"{span.trace_id}.{span.span_id}")

    assert "<h2>POST /orders" in html_of(visitor)


def test_attributes_are_searched(client: Client, opened: Open) -> None:
    """By name or value, in any case."""
    made = Made()
    made.span("work", 0, 10, currency="EUR", amount=12, a=1, b=2, c=3, d=4, e=5, f=6, g=7)
    span = feed(client, made).spans[0]
    visitor = opened(id="order-1", span=f"{span.trace_id}.{span.span_id}")
    visitor.text_input(key="span_find").set_value("eur").run()
    html = html_of(visitor)

    assert "currency" in html
    assert "amount" not in html


def test_logs_are_in_order_with_their_spans(client: Client, opened: Open) -> None:
    """Relative time and UTC, service, event name and body."""
    made = order()
    made.started("later", 70, "billing")
    made.started("earlier", 20, "inventory")
    feed(client, made)
    html = html_of(opened(id="order-1", view="logs"))

    assert html.index("earlier started") < html.index("later started")
    assert "20 ms" in html
    assert "<b>saga.step.started</b>" in html
    assert ">ffffffff</a>" in html


def test_logs_are_filtered(client: Client, opened: Open) -> None:
    """By text; and it is said when nothing fits."""
    made = order()
    made.started("charge", 70, "billing")
    made.started("reserve", 20, "inventory")
    feed(client, made)
    visitor = opened(id="order-1", view="logs")
    visitor.text_input(key="log_text").set_value("CHARGE").run()
    html = html_of(visitor)
    assert "charge started" in html
    assert "reserve started" not in html

    visitor.text_input(key="log_text").set_value("nothing like it").run()
    assert any("No line fits" in info.value for info in visitor.info)


def test_very_many_logs_come_in_pages(client: Client, opened: Open) -> None:
    """So that a page stays light."""
    made = order()
    for number in range(450):
        made.started(f"step {number}", number / 10, "billing", span_id=f"{number:016x}")
    feed(client, made)
    html = html_of(opened(id="order-1", view="logs"))

    assert "step 199 started" in html
    assert "step 200 started" not in html


def test_no_logs_are_said(client: Client, opened: Open) -> None:
    """In a sentence."""
    feed(client, order())
    visitor = opened(id="order-1", view="logs")

    assert any("No log record" in info.value for info in visitor.info)


def test_what_jaeger_cannot_tell_is_said_and_its_own_page_is_linked(client: Client) -> None:
    """It keeps no logs, and has a page for the trace of the span."""
    span = feed(client, order()).spans[0]
    key = f"{span.trace_id}.{span.span_id}"
    with exploring(client, "jaeger"):
        visitor = visit(saga_page, id="order-1", view="logs", span=key)
    [link] = visitor.get("link_button")

    assert any("Jaeger keeps no log records" in info.value for info in visitor.info)
    assert link.proto.url == f"{client.query_url}/trace/{span.trace_id}"
