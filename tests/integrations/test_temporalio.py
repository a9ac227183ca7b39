"""Temporal: its own interceptor makes the spans, the kit makes edges of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from opentelemetry import baggage, trace
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

import otel_kit
from otel_kit import names
from otel_kit.testing import Telemetry, capture
from tests.servers.temporal import Temporal

pytestmark = pytest.mark.xdist_group("temporal")
seen: list[tuple[int, object]] = []
"""Trace and saga of each charge."""


@activity.defn
async def charge(order: str) -> str:
    span = trace.get_current_span().get_span_context()
    seen.append((span.trace_id, baggage.get_baggage("saga.id")))
    if order == "refused":
        raise ApplicationError("no funds", type="Refused", non_retryable=True)
    return f"charged {order}"


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: str) -> str:
        return await workflow.execute_activity(
            charge,
            order,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    seen.clear()
    with capture("orders", integrations=["temporalio"]) as telemetry:
        yield telemetry


@pytest.fixture
async def client(telemetry: Telemetry) -> AsyncIterator[Client]:
    """A client with the interceptor, and a worker that works until the end."""
    server = await asyncio.to_thread(Temporal.shared)
    interceptor = TracingInterceptor(telemetry.tracer_provider.get_tracer("temporal"))
    client = await Client.connect(server.address, interceptors=[interceptor])
    async with Worker(client, task_queue="orders", workflows=[Order], activities=[charge]):
        yield client


async def run(client: Client, order: str) -> str:
    """Run the workflow to its end, in a saga."""
    with otel_kit.saga("ORD-1", "order"):
        result: str = await client.execute_workflow(
            Order.run, order, id=f"order-{uuid.uuid4()}", task_queue="orders"
        )
        return result


async def test_a_workflow_is_of_one_trace_and_saga(telemetry: Telemetry, client: Client) -> None:
    """Start, run and activity follow each other, and the activity is in the saga of the start."""
    assert await run(client, "7") == "charged 7"

    start, *_ = telemetry.spans
    assert {span.context.trace_id for span in telemetry.spans} == {start.context.trace_id}
    assert seen == [(start.context.trace_id, "ORD-1")]
    assert {(span.attributes or {}).get(names.SAGA_ID) for span in telemetry.spans} == {"ORD-1"}


async def test_each_side_of_a_hop_counts_on_its_edge(telemetry: Telemetry, client: Client) -> None:
    """The caller's goes to Temporal, the handler's comes from the caller."""
    await run(client, "7")

    edges = {
        (point.labels["operation"], point.labels["client"], point.labels["server"]): point.count
        for point in telemetry.points(names.HOP_DURATION, transport="temporal")
    }
    assert edges == {
        ("StartWorkflow:Order", "orders", "temporal"): 1,
        ("RunWorkflow:Order", "orders", "orders"): 1,
        ("StartActivity:charge", "orders", "temporal"): 1,
        ("RunActivity:charge", "orders", "orders"): 1,
    }
    assert telemetry.count(names.PROPAGATION_MESSAGES, result="stale") == 0


async def test_an_activity_that_fails_is_an_error_of_its_edge(
    telemetry: Telemetry, client: Client
) -> None:
    """The workflow's caller gets Temporal's exception."""
    with pytest.raises(WorkflowFailureError):
        await run(client, "refused")

    (failed,) = telemetry.points(names.HOP_DURATION, operation="RunActivity:charge")
    assert "error_class" in failed.labels


async def test_a_propagator_that_somebody_chose_stays(client: Client) -> None:
    """A subclass that sets its own is left alone."""

    class Own(TracingInterceptor):
        def __init__(self) -> None:
            super().__init__()
            self.text_map_propagator = propagator

    propagator = TracingInterceptor().text_map_propagator

    assert Own().text_map_propagator is propagator
