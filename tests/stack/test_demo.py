"""The demo's orders on real Kafka, Collector, Jaeger and Prometheus."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from otel_kit.explorer.charts.critical_path import LABELS
from otel_kit.explorer.model.critical_path import CriticalPath
from otel_kit.explorer.model.explain import explain
from otel_kit.explorer.model.stitch import stitch
from otel_kit.explorer.model.verdict import Verdict, judge
from otel_kit.explorer.source import EmbeddedSource, JaegerSource, Rows, SagaSearch, Source
from otel_kit.records import SagaRecord
from tests.dashboards.blind import after_faults
from tests.dashboards.conftest import troubled_service
from tests.dashboards.queries import OF_COLLECTOR, RULES, panel_queries, rule_queries
from tests.explorer.browser.chromium import chromium
from tests.explorer.browser.walking import Pages
from tests.explorer.serving import explorer
from tests.stack.asking import Jaeger, by_labels, eventually, prometheus, spans_of
from tests.stack.conftest import HASTE
from tests.stack.demo_on_stack import Both, demo_on_stack

pytestmark = [
    pytest.mark.demo,
    pytest.mark.xdist_group("demo on the stack"),
    pytest.mark.timeout(240),
]
SERVICES = {"web", "orders", "inventory", "billing", "bank", "notifications"}
NONE = "none"
ENDS = {
    NONE: "completed",
    "billing-declines": "compensated",
    "out-of-stock": "failed",
    "bank-down": "compensated",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The demo on the real parts."""
    with demo_on_stack(tmp_path_factory.mktemp("demo"), HASTE) as running:
        yield running


@pytest.fixture(scope="module")
def orders(both: Both) -> dict[str, str]:
    """Orders that have ended, by what was broken."""
    placed: dict[str, str] = {}
    for fault, end in ENDS.items():
        with nullcontext() if fault == NONE else both.demo.broken(fault):
            placed[fault] = both.demo.place_order()
            assert both.demo.outcome(placed[fault]) == end
    return placed


@pytest.fixture(scope="module")
def sources(both: Both) -> Iterator[tuple[Source, Source]]:
    """Jaeger and Prometheus, and the embedded collector, as the explorer reads them."""
    real = JaegerSource(both.stack.url("jaeger"), both.stack.url("prometheus"))
    embedded = EmbeddedSource(both.embedded)
    yield real, embedded
    real.close()
    embedded.close()


def test_an_order_is_one_trace(both: Both, orders: dict[str, str]) -> None:
    """Jaeger has it under the order's id, with all services and every parent."""
    jaeger = Jaeger(both.stack.url("jaeger"))
    tags = {"saga.id": orders[NONE]}

    def services() -> set[str]:
        return {span.service for span in jaeger.spans("orders", tags)}

    assert eventually(services, lambda found: found >= SERVICES) == SERVICES
    [trace] = jaeger.traces("orders", tags)
    spans = spans_of(trace)
    known = {span.id for span in spans}
    assert [span.service for span in spans if span.parent_id not in known] == ["web"]


def test_every_order_is_found(both: Both, orders: dict[str, str]) -> None:
    """Each in one trace, whatever came of it."""
    jaeger = Jaeger(both.stack.url("jaeger"))
    found = {
        order: eventually(lambda: jaeger.traces("orders", {"saga.id": order}), bool)  # noqa: B023
        for order in orders.values()
    }

    assert {order: len(traces) for order, traces in found.items()} == dict.fromkeys(found, 1)


@pytest.mark.parametrize("fault", ENDS)
def test_the_explorer_concludes_the_same(
    sources: tuple[Source, Source], orders: dict[str, str], fault: str
) -> None:
    """State, critical path and the sentence of an order, from Jaeger and from the embedded API."""
    real, embedded = (_settled(source, orders[fault]) for source in sources)

    assert real[0].state == embedded[0].state == ENDS[fault]
    assert _pieces(real[0].path) == _pieces(embedded[0].path)
    assert real[1] == embedded[1]


def _settled(source: Source, order: str) -> tuple[Verdict, str]:
    """What is concluded once no more spans come."""

    def read() -> tuple[int, Verdict | None, str]:
        detail = source.saga(order)
        if detail is None:
            return 0, None, ""
        story = stitch(detail)
        verdict = judge(story, story.ended_ns)
        return len(story.spans), verdict, explain(story, verdict)

    counts = [0]

    def quiet(found: tuple[int, Verdict | None, str]) -> bool:
        counts.append(found[0])
        return len(counts) > 12 and 0 < counts[-12] == counts[-1]

    _, verdict, sentence = eventually(read, quiet, 40)
    assert verdict is not None
    return verdict, sentence


def _pieces(path: CriticalPath) -> list[tuple[object, ...]]:
    return [
        (piece.label, piece.client, piece.server, piece.started_ns, piece.ended_ns)
        for piece in path.pieces
    ]


def test_a_visitor_of_the_explorer_is_told_the_same(both: Both, orders: dict[str, str]) -> None:
    """In a browser, an undone order is searched, opened, and explained alike from either source."""
    order = orders["billing-declines"]
    stack = both.stack
    real = ("--jaeger", stack.url("jaeger"), "--prometheus", stack.url("prometheus"))
    with chromium() as context:
        told = [_told(context, options, order) for options in (real, ("--url", both.embedded))]

    assert told[0] == told[1]
    assert told[0][0].startswith("Compensated")


def _told(context: BrowserContext, options: tuple[str, ...], order: str) -> list[str]:
    """The sentence of an order without what is usual, which each source learns from its own sagas;
    and where the order's time went.
    """
    with explorer(*options) as running:
        pages = Pages(context.new_page(), running.url).open()
        pages.search(order[:-1])
        pages.row(order).click()
        sentence = pages.settled().sentence().inner_text()
        tiles = pages.section("Critical path").tab.locator("dl.tiles .tile")
        expect(tiles).to_have_count(len(LABELS))
        return [sentence.partition(" was undone")[0], *tiles.all_inner_texts()]


def test_the_explorer_lists_the_orders(
    sources: tuple[Source, Source], orders: dict[str, str]
) -> None:
    """Its list finds each, and Prometheus has figures for the pairs of services."""
    real, _ = sources
    rows = [eventually(partial(_row, real, order), bool) for order in orders.values()]
    newest = max(row.started_ns for row in rows if row)
    search = SagaSearch(name="order", started_before_ns=newest + 1, limit=200)

    def listed() -> dict[str, str]:
        return {row.id: row.state for row in real.find_sagas(search).rows}

    ended = {orders[fault]: end for fault, end in ENDS.items()}
    assert eventually(listed, lambda found: ended.items() <= found.items()).items() >= ended.items()
    edges = eventually(real.edges, lambda found: isinstance(found, Rows) and bool(found.rows))
    assert isinstance(edges, Rows)
    assert ("web", "orders") in {(row.client, row.server) for row in edges.rows}


def _row(source: Source, order: str) -> SagaRecord | None:
    found = source.saga(order)
    return found.saga if found else None


def test_exemplars_open_their_traces(both: Both, orders: dict[str, str]) -> None:
    """What Prometheus has beside a latency is a trace that Jaeger has."""
    asked = {
        "query": 'otel_kit_hop_duration_seconds_bucket{client="web"}',
        "start": "0",
        "end": "9999999999",
    }

    def opened() -> bool:
        with prometheus(both.stack) as asking:
            found = asking.get("query_exemplars", **asked)
        ids = [each["labels"]["trace_id"] for series in found for each in series["exemplars"]]
        return any(_has(both, trace_id) for trace_id in ids[:5])

    assert eventually(opened, bool)


def _has(both: Both, trace_id: str) -> bool:
    return httpx.get(f"{both.stack.url('jaeger')}/api/traces/{trace_id}", timeout=20).is_success


def test_logs_are_kept(both: Both, orders: dict[str, str]) -> None:
    """The start of each step of an order is in the Collector's file, with the trace it is of."""
    path = both.stack.folder / "collector" / "logs" / "logs.jsonl"

    def steps() -> set[str]:
        found = set()
        for line in path.read_text().splitlines():
            for group in json.loads(line)["resourceLogs"]:
                for record in [r for s in group["scopeLogs"] for r in s["logRecords"]]:
                    said = {a["key"]: a["value"].get("stringValue") for a in record["attributes"]}
                    if said.get("saga.id") == orders[NONE] and record["traceId"]:
                        found.add(said["saga.step"])
        return found

    expected = {"reserve-inventory", "charge-payment"}
    assert eventually(steps, lambda found: found >= expected) >= expected


def test_every_panel_and_every_rule_has_data(both: Both, orders: dict[str, str]) -> None:
    """Through the Collector as through the embedded one, when all goes wrong that can."""
    of_services = [path for path in RULES if path != OF_COLLECTOR]
    queries = [*panel_queries(), *rule_queries(of_services)]
    demo = both.demo
    always = ("context-dropped", "duplicate-delivery")
    for fault in always:
        demo.switch(fault, "on")
    with troubled_service(both.stack.url("otlp-http")), prometheus(both.stack) as asking:
        blind = after_faults(demo, asking, queries)
    for fault in always:
        demo.switch(fault, "off")

    if blind.queries:
        pytest.fail(f"{len(blind.queries)} queries return nothing:{blind}", pytrace=False)


def test_a_broker_that_restarts_is_no_new_edge(both: Both, orders: dict[str, str]) -> None:
    """Orders go on over it, hops keep their context, and the pairs of services are the same."""
    labels = ("client", "server", "transport")
    pairs = f"sum by ({', '.join(labels)}) (otel_kit_propagation_messages_total)"
    with prometheus(both.stack) as asking:
        before = eventually(lambda: by_labels(asking, pairs, *labels), bool)
        both.stack.kafka.stop()
        both.stack.kafka.start()
        order = both.demo.place_order()
        # Some clients try to reach a broker again more and more rarely.
        ended = eventually(
            lambda: both.demo.status(order), lambda status: status in ("confirmed", "failed"), 90
        )
        assert ended in ("confirmed", "failed")
        jaeger = Jaeger(both.stack.url("jaeger"))

        def services() -> set[str]:
            return {span.service for span in jaeger.spans("orders", {"saga.id": order})}

        others = SERVICES - {"bank"}  # whose breaker may be open
        assert eventually(services, lambda found: found >= others) >= others
        assert len(jaeger.traces("orders", {"saga.id": order})) == 1
        after = by_labels(asking, pairs, *labels)

    assert after.keys() == before.keys()
