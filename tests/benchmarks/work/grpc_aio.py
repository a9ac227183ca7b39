"""A unary call of grpc.aio and its server, in one process."""

from typing import Any

import grpc

from tests.benchmarks.work.base import Work

METHOD = "/orders.Orders/Get"


def handlers(answer: Any) -> grpc.GenericRpcHandler:
    """One unary method of bytes."""
    method: Any = grpc.unary_unary_rpc_method_handler(answer)
    _, service, name = METHOD.split("/")
    return grpc.method_handlers_generic_handler(service, {name: method})


class GrpcAio(Work):
    name = "grpc_aio"

    async def open(self) -> None:
        async def answer(request: bytes, context: Any) -> bytes:
            return request

        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((handlers(answer),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._call: Any = self._channel.unary_unary(METHOD)

    async def burst(self, count: int) -> None:
        for _ in range(count):
            assert await self._call(b"7") == b"7"

    async def close(self) -> None:
        await self._channel.close()
        await self._server.stop(None)


work = GrpcAio
