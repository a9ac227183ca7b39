"""Sentry's SDK with tracing on.

It records client calls only within a transaction: a burst of them gets one.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tests.benchmarks.peers.base import BURST, Peer

_NO_KAFKA = "Sentry has no Kafka integration"
_SERVERS = ("asgi", "wsgi")


class Sentry(Peer):
    title = "Sentry"
    packages = ("sentry-sdk[fastapi,flask,grpcio]",)
    missing = dict.fromkeys(("kafka_produce", "kafka_consume"), _NO_KAFKA)

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        dsn = sink.replace("://", "://public@") + "/1"
        return {"SENTRY_DSN": dsn, "SENTRY_TRACES_SAMPLE_RATE": str(ratio)}

    def start(self, work: str) -> None:
        import sentry_sdk

        rate = float(os.environ["SENTRY_TRACES_SAMPLE_RATE"])
        sentry_sdk.init(traces_sample_rate=rate, integrations=list(_integrations(work)))

    def within(self, work: str) -> AbstractContextManager[object]:
        if work in _SERVERS:
            return nullcontext()
        import sentry_sdk

        transaction: AbstractContextManager[object] = sentry_sdk.start_transaction(
            op="bench", name="burst"
        )
        return transaction

    def hops_per_trace(self, work: str) -> int:
        return 1 if work in _SERVERS else BURST

    def flush(self) -> None:
        import sentry_sdk

        sentry_sdk.flush()


def _integrations(work: str) -> list[Any]:
    """Besides those that enable themselves."""
    if not work.startswith("grpc"):
        return []
    from sentry_sdk.integrations.grpc import GRPCIntegration

    return [GRPCIntegration()]


peer = Sentry()
