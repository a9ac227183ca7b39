"""A worker that its message kills: real processes, ended by an exception in the loop's body."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import otel_kit
from otel_kit.hops import incoming
from otel_kit.hops.loops import Loops

otel_kit.instrument(
    "worker", integrations=["httpx"],
    traces_exporter="console", metrics_exporter="none", logs_exporter="none",
)
loops, consumer = Loops(), type("Consumer", (), {})()

def consume():
    loops.handed_out(consumer, incoming("kafka", "orders", carrier={}))
    raise TimeoutError("poison")

async def consume_in_a_task():
    consume()
"""


@pytest.mark.parametrize(
    ("run", "error_class"),
    [
        pytest.param("consume()", "timeout", id="main thread"),
        pytest.param("__import__('asyncio').run(consume_in_a_task())", "timeout", id="asyncio"),
        pytest.param(
            "loops.handed_out(consumer, incoming('kafka', 'orders', carrier={}))",
            None,
            id="no error",
        ),
    ],
)
def test_the_message_that_ends_the_process_is_recorded(run: str, error_class: str | None) -> None:
    """The span of the message being handled ends with the process, with the error that ended it."""
    worker = subprocess.run(
        [sys.executable, "-c", f"{PROGRAM}\n{run}\n"], capture_output=True, text=True, timeout=50
    )

    found = json.loads(worker.stdout)
    assert found["kind"] == "SpanKind.CONSUMER"
    assert found["attributes"].get("otel_kit.error_class") == error_class
