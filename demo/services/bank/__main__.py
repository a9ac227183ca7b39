"""Run the bank."""

import asyncio

import otel_kit
from demo.runtime import http
from demo.runtime.lifecycle import log_to_stdout, until_stopped
from demo.services.bank.app import app
from demo.services.bank.proxy import Proxy


async def main() -> None:
    await until_stopped(http.serve(Proxy(app), "bank"))


if __name__ == "__main__":
    kit = otel_kit.instrument("bank")
    log_to_stdout()
    asyncio.run(main())
    kit.shutdown()
