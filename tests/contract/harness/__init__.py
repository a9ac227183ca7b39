"""One harness per integration: all that a new library must write to be held to the contract."""

from tests.contract.harness.base import ClientHarness, ServerHarness
from tests.contract.harness.grpc import GrpcAio, GrpcAioServer, GrpcSync, GrpcSyncServer
from tests.contract.harness.httpx import HttpxAsync, HttpxSync
from tests.contract.harness.starlette import FastApi, Starlette

CLIENTS: list[type[ClientHarness]] = [HttpxSync, HttpxAsync, GrpcSync, GrpcAio]
"""Libraries that send requests."""
SERVERS: list[type[ServerHarness]] = [FastApi, Starlette, GrpcSyncServer, GrpcAioServer]
"""Libraries that answer requests."""
