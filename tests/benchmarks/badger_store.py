"""Bytes on disk and CPU a span, next to the figures of `embedded_store`: Jaeger on badger.

    taskset -c 1 python -m tests.benchmarks.badger_store [--spans 1000000]

Needs the Jaeger of `make stack`, and runs it with the project's configuration for one machine.
It says that it has a batch before the disk has it; so the bytes are counted when it has ended.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Final

import grpc

from collector.stack.one_machine import OneMachine, free_ports
from tests.benchmarks import saga_stream

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_IN_FLIGHT: Final = 8


def main() -> None:
    """Start Jaeger, send, end it, look at its files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=1_000_000)
    spans = parser.parse_args().spans
    with tempfile.TemporaryDirectory() as temporary:
        with OneMachine(Path(temporary), free_ports(), parts=("jaeger",)) as jaeger:
            _send(jaeger.address("jaeger-otlp"), spans)
        size = sum(_on_disk(path) for path in (Path(temporary) / "jaeger" / "data").rglob("*"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    rate = spans / (used.ru_utime + used.ru_stime)
    print(f"{rate:,.0f} spans a CPU second, {size / spans:.0f} bytes a span on disk")


def _on_disk(path: Path) -> int:
    """What a file takes: badger's are longer than what is in them."""
    return path.stat().st_blocks * 512


def _send(address: str, spans: int) -> None:
    start = time.time_ns() - spans // 20 * saga_stream.EVERY_NS
    with grpc.insecure_channel(address) as channel:
        export, waiting = channel.unary_unary(_EXPORT), []
        for batch in saga_stream.batches(spans, start):
            waiting.append(export.future(batch.body))
            if len(waiting) >= _IN_FLIGHT:
                waiting.pop(0).result()
        for answer in waiting:
            answer.result()


if __name__ == "__main__":
    main()
