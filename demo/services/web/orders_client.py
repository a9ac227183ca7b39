"""The gRPC client of orders."""

import uuid
from typing import TypeVar

import grpc

from demo import config
from demo.protos.orders_pb2 import GetOrderRequest, Order, PlaceOrderRequest
from demo.protos.orders_pb2_grpc import OrdersStub
from demo.resilience.retry import retry_async

TIMEOUT = 5.0

Request = TypeVar("Request", PlaceOrderRequest, GetOrderRequest)
Method = grpc.aio.UnaryUnaryMultiCallable[Request, Order]


class OrdersUnavailable(Exception):
    """Orders could not be reached."""


class OrdersClient:
    """Calls orders with a timeout; a call that did not get through is tried again."""

    def __init__(self) -> None:
        self._channel = grpc.aio.insecure_channel(config.address("orders"))
        self._stub = OrdersStub(self._channel)  # type: ignore[no-untyped-call]  # generated code

    async def place(self, sku: str, quantity: int) -> Order:
        request = PlaceOrderRequest(request_id=str(uuid.uuid4()), sku=sku, quantity=quantity)
        return await self._call(self._stub.PlaceOrder, request)

    async def get(self, order_id: str) -> Order:
        return await self._call(self._stub.GetOrder, GetOrderRequest(id=order_id))

    async def close(self) -> None:
        await self._channel.close()

    async def _call(self, method: Method[Request], request: Request) -> Order:
        async def attempt() -> Order:
            try:
                return await method(request, timeout=TIMEOUT)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    raise OrdersUnavailable(error.details()) from error
                raise

        return await retry_async(attempt, on=(OrdersUnavailable,), name="orders")
