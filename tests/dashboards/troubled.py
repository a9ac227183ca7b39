"""A service in trouble: its clock is late, and nobody takes its spans.

Run as ``python troubled.py OTLP_URL``; it handles messages until it is told to end.
"""

import os
import signal
import sys
import threading
import time

STOP = threading.Event()


def main(endpoint: str) -> None:
    """Handle a message that seems to come from the future, again and again."""
    os.environ |= {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{endpoint}/v1/metrics",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{endpoint}/v1/logs",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{endpoint}/nobody/takes/spans",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    import otel_kit
    from otel_kit.hops.messaging import incoming

    kit = otel_kit.instrument("troubled")
    while not STOP.wait(0.2):
        late = time.time() + 60
        with otel_kit.process(incoming("kafka", "letters", carrier={}, sent_at=late, group="post")):
            pass
    kit.shutdown()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    main(sys.argv[1])
