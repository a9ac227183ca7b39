"""A unary call of grpc and its server, in one process."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.benchmarks.work.base import Work
from tests.benchmarks.work.grpc_aio import METHOD, handlers


class GrpcSync(Work):
    name = "grpc_sync"

    async def open(self) -> None:
        def answer(request: bytes, context: Any) -> bytes:
            return request

        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers((handlers(answer),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._call: Any = self._channel.unary_unary(METHOD)

    async def burst(self, count: int) -> None:
        for _ in range(count):
            assert self._call(b"7") == b"7"

    async def close(self) -> None:
        self._channel.close()
        self._server.stop(None).wait()


work = GrpcSync
