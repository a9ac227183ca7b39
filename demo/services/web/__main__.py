"""Run web."""

import asyncio

import otel_kit
from demo.runtime import http
from demo.runtime.lifecycle import log_to_stdout, until_stopped
from demo.services.web.app import app


async def main() -> None:
    await until_stopped(http.serve(app, "web"))


if __name__ == "__main__":
    kit = otel_kit.instrument("web", edge=True)  # customers send no trace context
    log_to_stdout()
    asyncio.run(main())
    kit.shutdown()
