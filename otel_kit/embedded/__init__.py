"""The embedded collector: OTLP in, a store on disk, a query API.  No Docker, one process.

    with Embedded("./data", otlp_http_port=0) as collector:
        print(collector.otlp_http_url, collector.query_url)

Data flows one way: `receiver_grpc` and `receiver_http` → `intake` → `decode` → `writer` (with
`ingest` and `retention`) → `schema.sql`; and back through `trace_queries`, `saga_queries` and
`metrics` → `store` → `api`.
"""

from otel_kit.embedded.run import run
from otel_kit.embedded.server import Embedded

__all__ = ["Embedded", "run"]
