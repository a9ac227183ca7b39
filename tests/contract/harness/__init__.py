"""One harness per integration: all that a new library must write to be held to the contract."""

from tests.contract.harness.base import ClientHarness, ServerHarness
from tests.contract.harness.httpx import HttpxAsync, HttpxSync
from tests.contract.harness.starlette import FastApi, Starlette

CLIENTS: list[type[ClientHarness]] = [HttpxSync, HttpxAsync]
"""Libraries that send requests."""
SERVERS: list[type[ServerHarness]] = [FastApi, Starlette]
"""Libraries that answer requests."""
