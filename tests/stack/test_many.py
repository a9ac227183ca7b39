"""Many machines: every saga arrives whole and once, whoever dies on the way."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import httpx
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.stack.process import HOST
from otel_kit import names
from tests.embedded import build
from tests.embedded.running import PROTOBUF
from tests.stack import many_machines
from tests.stack.many_machines import Machines, wait_until
from tests.stack.shop import SERVICES, Shop

pytestmark = [pytest.mark.xdist_group("many"), pytest.mark.timeout(300)]
_DECIDED = "otelcol_processor_tail_sampling_global_count_traces_sampled"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with many_machines.running(tmp_path_factory.mktemp("many")) as started:
        yield started


def test_every_saga_arrives_whole_and_once_although_a_gateway_is_killed(machines: Machines) -> None:
    """Each has three traces through two agents; of one that is not to be kept, nothing arrives."""
    before = decided(machines, "sampler-0", "sampler-1")
    with Shop(machines.agent_ports) as shop:
        place(shop, "calm", 100)
        wait_until(lambda: accepted(machines, "gateway-0") > 0, "spans in the gateway", 60)
        place(shop, "in hand", 50)
        machines.gateways[0].kill()
        place(shop, "killed", 50)
        machines.gateways[0].start()
        place(shop, "again", 100)

    def all_decided() -> bool:
        return decided(machines, "sampler-0", "sampler-1") - before >= len(shop.sent)

    wait_until(all_decided, "every saga decided", 120)
    assert_whole_and_once(machines, shop)
    assert all(accepted(machines, name) for name in ("gateway-0", "gateway-1"))
    assert all(decided(machines, name) for name in ("sampler-0", "sampler-1"))


def test_a_sampler_that_dies_loses_nothing_while_a_second_group_decides_too(
    machines: Machines,
) -> None:
    """What both groups keep is still there once."""
    second = machines.sampler("second-group", "second")
    second.start()
    try:
        machines.wait_for_members("second", 1)
        before = decided(machines, "second-group")
        with Shop(machines.agent_ports) as shop:
            seen = accepted(machines, "sampler-0")
            place(shop, "early", 60)
            wait_until(lambda: accepted(machines, "sampler-0") > seen, "spans in the sampler", 60)
            machines.samplers[0].kill()
            place(shop, "later", 60)

        def all_decided() -> bool:
            return decided(machines, "second-group") - before >= len(shop.sent)

        wait_until(all_decided, "every saga decided by the second group", 120)
        assert_whole_and_once(machines, shop)
    finally:
        second.kill()
        machines.samplers[0].start()
        machines.wait_for_members("sampler", 2)


def test_metrics_reach_prometheus_and_logs_the_writers_files(machines: Machines) -> None:
    """Through an agent, a gateway and Kafka."""
    stock = build.metrics([build.gauge("shop.stock", 42.5)], service="web")
    counted = build.logs([build.log("counted the stock")], service="web")
    post(machines.agent_ports[0], "metrics", stock)
    post(machines.agent_ports[0], "logs", counted)

    wait_until(lambda: machines.value('shop_stock{job="web"}') == 42.5, "the metric", 60)
    wait_until(lambda: "counted the stock" in machines.logs(), "the log", 60)


def test_a_hop_between_services_without_the_kit_is_counted_once(machines: Machines) -> None:
    """Its two ends come through different agents and meet at one gateway."""
    for _ in range(20):
        call = build.span("call", kind=Span.SPAN_KIND_CLIENT)
        handle = build.span(
            "handle",
            call.trace_id,
            parent_span_id=call.span_id,
            kind=Span.SPAN_KIND_SERVER,
        )
        post(machines.agent_ports[0], "traces", build.traces([call], service="till"))
        post(machines.agent_ports[1], "traces", build.traces([handle], service="printer"))

    edges = "sum(traces_service_graph_request_total)"
    wait_until(lambda: (machines.value(edges) or 0) >= 20, "the edges", 60)
    till = 'sum(traces_service_graph_request_total{client="till", server="printer"})'
    assert machines.value(till) == machines.value(edges) == 20


def post(port: int, signal: str, message: Message) -> None:
    """To an agent."""
    url = f"http://{HOST}:{port}/v1/{signal}"
    body = message.SerializeToString()
    httpx.post(url, content=body, headers=PROTOBUF, timeout=30).raise_for_status()


def place(shop: Shop, name: str, count: int) -> None:
    """Every second one fails."""
    for number in range(count):
        shop.order(f"{name}-{number}", fails=number % 2 == 0)
        if number % 10 == 9:
            shop.flush()


def accepted(machines: Machines, name: str) -> float:
    return machines.counted(name, "otelcol_receiver_accepted_spans")


def decided(machines: Machines, *samplers: str) -> float:
    return sum(machines.counted(name, _DECIDED) for name in samplers)


def assert_whole_and_once(machines: Machines, shop: Shop) -> None:
    """Jaeger has just what was sent of the sagas that failed."""
    wanted = {saga: Counter(shop.sent[saga]) for saga in shop.failed}
    wait_until(lambda: total(arrived(machines, shop)) >= total(wanted), "all in Jaeger", 60)
    assert arrived(machines, shop) == wanted


def total(spans: dict[str, Counter[tuple[str, str]]]) -> int:
    return sum(each.total() for each in spans.values())


def arrived(machines: Machines, shop: Shop) -> dict[str, Counter[tuple[str, str]]]:
    """How often Jaeger has each span of the shop's sagas."""
    traces = {trace["traceID"]: trace for name in SERVICES for trace in machines.traces(name)}
    found: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for span in (span for trace in traces.values() for span in trace["spans"]):
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        if (saga := tags.get(names.SAGA_ID)) in shop.sent:
            found[saga][span["traceID"], span["spanID"]] += 1
    return found
