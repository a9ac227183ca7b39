"""What is particular to Celery: chains, retries, what is due later, eager tasks, brokers, pools."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import celery
import pytest
from celery import chain, chord, group, signals
from kombu import Queue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import names
from otel_kit.integrations._celery import destination
from otel_kit.testing import Telemetry, capture
from otel_kit.testing.contract.contexts import SAMPLED, SPAN_ID, TRACE_ID, from_kit
from tests.contract.harness.celery import CeleryBroker
from tests.gauges.waiting import until
from tests.integrations.redis_clients import client
from tests.providers.sink import WAIT, Sink
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis

PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
ROOT = Path(__file__).parents[2]
PATIENTLY = {"timeout": WAIT, "interval": 0.01}


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    """The application of this process; its worker, in threads, reads a queue of this module's."""
    broker = CeleryBroker.shared()
    broker.worker()
    queue = broker.app.conf.task_default_queue = broker.topic()
    assert broker.app.control.add_consumer(queue, reply=True, limit=1, timeout=WAIT)
    yield broker.app
    assert broker.app.control.cancel_consumer(queue, reply=True, limit=1, timeout=WAIT)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Celery, and the client of its broker, instrumented; all that can be is in envelopes."""
    libraries = ["celery", "redis"]
    with capture("tested", integrations=libraries, envelopes=["*"]) as found:
        yield found


def runs(telemetry: Telemetry, count: int) -> list[Any]:
    """The runs of tasks, when there are that many: a result is there a moment before their end."""
    until(lambda: len(telemetry.matching(kind=CONSUMER)) >= count)
    return telemetry.matching(kind=CONSUMER)


def test_a_task_is_one_send_and_one_run(app: Any, telemetry: Telemetry) -> None:
    """Named after the task, to its queue; nothing below makes a second hop."""
    inside = app.tasks["inside"].delay().get(**PATIENTLY)

    (run,) = runs(telemetry, 1)
    sent = telemetry.span(kind=PRODUCER)
    assert (sent.name, run.name) == ("send inside", "process inside")
    assert inside == run.context.span_id
    assert run.parent is not None
    assert run.parent.span_id == sent.context.span_id
    for span in (sent, run):
        assert (span.attributes or {})[names.MESSAGING_DESTINATION] == app.conf.task_default_queue
    assert len(telemetry.spans) == 2
    assert telemetry.count(names.QUEUE_DURATION, client="tested", server="tested") == 1


def test_a_chain_is_one_trace(app: Any, telemetry: Telemetry) -> None:
    """The next of a chain is sent by the run of the one before."""
    add = app.tasks["add"]
    assert chain(add.s(1, 2), add.s(3), add.s(4)).apply_async().get(**PATIENTLY) == 10

    found = {span.context.span_id: span for span in runs(telemetry, 3)}
    assert len({span.context.trace_id for span in found.values()}) == 1
    sent_by = [span.parent.span_id for span in telemetry.matching(kind=PRODUCER) if span.parent]
    assert len(sent_by) == 2
    assert set(sent_by) < set(found)


def test_a_chord_is_one_trace(app: Any, telemetry: Telemetry) -> None:
    """What is sent within a span, and what follows when all of it is done, stays in its trace."""
    add, total = app.tasks["add"], app.tasks["total"]
    tracer = telemetry.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("order") as order:
        found = chord(group(add.s(1, 2), add.s(3, 4)), total.s()).apply_async().get(**PATIENTLY)

    assert found == 10
    assert {run.context.trace_id for run in runs(telemetry, 3)} == {
        order.get_span_context().trace_id
    }


def test_each_attempt_is_a_hop(app: Any, telemetry: Telemetry) -> None:
    """A retry is sent by the attempt that failed, which ends with what it failed of."""
    assert app.tasks["flaky"].delay().get(**PATIENTLY) == 2

    attempts = runs(telemetry, 3)
    assert len({span.context.trace_id for span in attempts}) == 1
    failed = telemetry.count(names.HOP_DURATION, side="consumer", error_class="timeout")
    assert (failed, telemetry.count(names.HOP_DURATION, side="consumer")) == (2, 3)


@pytest.mark.parametrize("task", ["expected", "ignored"])
def test_what_a_task_may_do_is_no_error(app: Any, telemetry: Telemetry, task: str) -> None:
    """An exception that it declares, or a message that it ignores."""
    app.tasks[task].delay()

    (run,) = runs(telemetry, 1)
    assert run.status.status_code is StatusCode.UNSET


def test_a_task_that_fails_is_an_error(app: Any, telemetry: Telemetry) -> None:
    """The caller gets its exception, and so does the span."""
    with pytest.raises(ValueError, match="on purpose"):
        app.tasks["fails"].delay().get(**PATIENTLY)

    (run,) = runs(telemetry, 1)
    assert run.status.status_code is StatusCode.ERROR
    assert (run.attributes or {})[names.ERROR_TYPE] == "ValueError"


def test_a_wait_that_was_asked_for_is_no_dwell(app: Any, telemetry: Telemetry) -> None:
    """A task that was due five seconds ago has waited for five seconds, whenever it was sent."""
    sent = from_kit("shop", sent_ns=time.time_ns() - 100 * 10**9)
    due = datetime.now(UTC) - timedelta(seconds=5)
    message = app.amqp.as_task_v2(uuid.uuid4().hex, "add", (1, 2), {}, eta=due)
    with app.producer_or_acquire() as producer:
        queue = app.conf.task_default_queue
        app.amqp.send_task_message(producer, "add", message, queue=queue, headers=sent)

    runs(telemetry, 1)
    (dwell,) = telemetry.points(names.QUEUE_DURATION, client="shop")
    assert 5 <= dwell.sum < 60


def test_a_task_that_nobody_here_knows_is_sent(app: Any, telemetry: Telemetry) -> None:
    """As between two services: the name is all that there is."""
    app.send_task("elsewhere.pay", queue=f"other-{app.conf.task_default_queue}")

    assert telemetry.span().name == "send elsewhere.pay"


def test_what_is_run_eagerly_makes_no_hop(app: Any, telemetry: Telemetry) -> None:
    """It crosses to nobody: its code is the caller's."""
    tracer = telemetry.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("order") as order:
        assert app.tasks["inside"].apply().get() == order.get_span_context().span_id
        app.conf.task_always_eager = True
        try:
            assert app.tasks["inside"].delay().get() == order.get_span_context().span_id
        finally:
            app.conf.task_always_eager = False

    assert [span.name for span in telemetry.spans] == ["order"]


class Consumer:
    """A worker's, as far as its queues go; it reads nothing from them."""

    def __init__(self, app: Any, queue: str) -> None:
        self.app = app
        self.task_consumer = SimpleNamespace(queues=[Queue(queue)])


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_depth_of_the_queues_that_a_worker_reads(kind: str) -> None:
    """What waits in each of them, of either broker, also if it is nothing."""
    queue = f"read-{uuid.uuid4().hex[:12]}"
    app = celery.Celery("test", broker=url(kind), set_as_current=False)
    consumer = Consumer(app, queue)
    with capture("tested", integrations=["celery"], metric_interval=50.0) as telemetry:
        for _ in range(3):
            app.send_task("add", (1, 2), queue=queue, ignore_result=True)
        signals.worker_ready.send(sender=consumer)
        until(lambda: depth(telemetry, queue) == 3)
        with app.connection_for_write() as connection:
            connection.default_channel.queue_purge(queue)
        until(lambda: depth(telemetry, queue) == 0)
        signals.worker_shutting_down.send(sender="test", sig="TERM", how="warm", exitcode=0)
        until(lambda: depth(telemetry, queue) is None)
    app.close()


def url(kind: str) -> str:
    return RabbitMQ.shared().url if kind == "rabbitmq" else f"redis://{Redis.shared().address}/0"


def depth(telemetry: Telemetry, queue: str) -> float | None:
    points = telemetry.points(names.QUEUE_DEPTH, transport="celery", destination=queue, group="")
    return points[0].sum if points else None


@pytest.mark.parametrize(
    ("exchange", "routing_key", "said"),
    [
        ("", "orders", "orders"),
        ("orders", "orders", "orders"),
        ("events", "order.paid", "events:order.paid"),
        ("celery_delayed_27", ".".join(["0"] * 28) + ".order.paid", "order.paid"),
        (None, None, ""),
    ],
)
def test_where_a_message_goes(exchange: Any, routing_key: Any, said: str) -> None:
    """The queue, or what an exchange decides by; never the bits by which one waits."""
    assert destination(exchange, routing_key) == said


WORKER = """
import os, signal, sys
import redis
from celery import Celery
from opentelemetry import trace

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(task_default_queue=os.environ["QUEUE"], broker_connection_retry_on_startup=True)

@app.task(name="orders.pay", ignore_result=True)
def pay():
    with trace.get_tracer("app").start_as_current_span("work"):
        with redis.Redis.from_url(os.environ["DONE"]) as client:
            client.rpush(os.environ["QUEUE"] + "-done", os.getpid())

@app.task(name="orders.crash", ignore_result=True, acks_late=True, reject_on_worker_lost=True)
def crash():
    with redis.Redis.from_url(os.environ["DONE"]) as client:
        if client.incr(os.environ["QUEUE"] + "-runs") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    pay()

if __name__ == "__main__":
    options = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "ERROR"]
    app.worker_main(["worker", "--pool", sys.argv[1], *options])
"""
RUN = "import sys; from otel_kit._run import run_command; sys.exit(run_command(sys.argv[1:]))"


class Started(NamedTuple):
    """A worker under `otel-kit run`, in processes of its own."""

    process: subprocess.Popen[bytes]
    app: Any
    queue: str
    sink: Sink

    def sends(self, task: str) -> int:
        """Send a task, and wait until it has run; the process that it ran in."""
        self.app.send_task(task, queue=self.queue, headers=SAMPLED, ignore_result=True)
        with client() as user:
            _, ran_in = user.blpop(f"{self.queue}-done", timeout=WAIT)
        return int(ran_in)

    def ended(self) -> list[Span]:
        """Ask it to end; all that it has recorded."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(WAIT) == 0
        return self.sink.spans()


@contextmanager
def started(tmp_path: Path, pool: str, kind: str) -> Iterator[Started]:
    sink, program = Sink(), tmp_path / "shop.py"
    program.write_text(WORKER)
    queue = f"orders-{uuid.uuid4().hex[:12]}"
    environment = {
        **os.environ,
        "BROKER": url(kind),
        "DONE": url("redis"),
        "QUEUE": queue,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_BSP_SCHEDULE_DELAY": "1000000",  # so that it exports when it ends, and only then
    }
    command = [sys.executable, "-c", RUN, "--", sys.executable, str(program), pool]
    app = celery.Celery("test", broker=url(kind), set_as_current=False)
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as worker:
        try:
            yield Started(worker, app, queue, sink)
        finally:
            worker.kill()
    app.close()
    sink.close()


@pytest.mark.parametrize(("pool", "kind"), [("prefork", "redis"), ("solo", "rabbitmq")])
def test_a_worker_that_is_run_as_it_is(tmp_path: Path, pool: str, kind: str) -> None:
    """`otel-kit run` instruments it, whatever runs its tasks, and what they did arrives."""
    with started(tmp_path, pool, kind) as worker:
        ran_in = worker.sends("orders.pay")
        spans = {span.name: span for span in worker.ended()}

    assert (ran_in != worker.process.pid) == (pool == "prefork")
    run, work = spans["process orders.pay"], spans["work"]
    assert int.from_bytes(run.trace_id) == TRACE_ID
    assert int.from_bytes(run.parent_span_id) == SPAN_ID
    assert work.parent_span_id == run.span_id


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_task_comes_again_after_a_crash(tmp_path: Path, kind: str) -> None:
    """The run that was killed could tell nothing; the next one is a hop below the same send."""
    with started(tmp_path, "prefork", kind) as worker:
        worker.sends("orders.crash")
        [run] = [span for span in worker.ended() if span.name == "process orders.crash"]

    assert int.from_bytes(run.trace_id) == TRACE_ID
    assert int.from_bytes(run.parent_span_id) == SPAN_ID
