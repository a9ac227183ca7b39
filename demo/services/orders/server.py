"""The gRPC server."""

import sqlite3
from typing import Any

import grpc

from demo import config
from demo.catalogue import ITEMS
from demo.protos.orders_pb2 import GetOrderRequest, Order, PlaceOrderRequest
from demo.protos.orders_pb2_grpc import OrdersServicer, add_OrdersServicer_to_server
from demo.services.orders import book
from demo.services.orders.book import OrderRow
from demo.services.orders.placement import place
from demo.services.orders.relay import Relay

Context = grpc.aio.ServicerContext[Any, Order]


class Servicer(OrdersServicer):
    def __init__(self, database: sqlite3.Connection, relay: Relay) -> None:
        self._database = database
        self._relay = relay

    async def PlaceOrder(self, request: PlaceOrderRequest, context: Context) -> Order:  # noqa: N802
        if request.sku not in ITEMS or request.quantity < 1 or not request.request_id:
            skus = ", ".join(ITEMS)
            reason = f"an order needs a request_id, a quantity and one of the items {skus}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        order = place(self._database, request.request_id, request.sku, request.quantity)
        self._relay.wake()
        return _as_reply(order)

    async def GetOrder(self, request: GetOrderRequest, context: Context) -> Order:  # noqa: N802
        order = book.find(self._database, request.id)
        if order is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no order {request.id!r}")
        return _as_reply(order)


def new_server(servicer: Servicer) -> grpc.aio.Server:
    server = grpc.aio.server()
    add_OrdersServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]  # generated
    server.add_insecure_port(config.address("orders"))
    return server


def _as_reply(order: OrderRow) -> Order:
    return Order(
        id=order.id,
        sku=order.sku,
        quantity=order.quantity,
        amount_cents=order.amount_cents,
        status=order.status,
        outcome=order.outcome,
    )
