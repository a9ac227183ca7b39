"""The HTTP routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from google.protobuf.json_format import MessageToDict
from pydantic import BaseModel, Field

from demo.protos.orders_pb2 import Order
from demo.services.web.news import News, NewsDesk
from demo.services.web.orders_client import OrdersClient, OrdersUnavailable


class Purchase(BaseModel):
    sku: str = Field(max_length=64)
    quantity: int = Field(default=1, ge=1, le=1000)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.orders, app.state.news = OrdersClient(), NewsDesk()
    yield
    await app.state.orders.close()


app = FastAPI(title="web", lifespan=lifespan)


@app.get("/healthz")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/orders", status_code=202)
async def place_order(purchase: Purchase, request: Request) -> dict[str, Any]:
    orders: OrdersClient = request.app.state.orders
    return _as_json(await orders.place(purchase.sku, purchase.quantity))


@app.get("/orders/{order_id}")
async def get_order(order_id: str, request: Request) -> dict[str, Any]:
    orders: OrdersClient = request.app.state.orders
    return _as_json(await orders.get(order_id))


@app.get("/orders/{order_id}/events")
async def follow_order(order_id: str, request: Request) -> StreamingResponse:
    """Server-sent events, up to the outcome of the order."""
    news: NewsDesk = request.app.state.news

    async def events() -> AsyncIterator[str]:
        async for item in news.follow(order_id):
            yield f"id: {item.id}\nevent: {item.type}\ndata: {item.model_dump_json()}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.post("/webhooks/orders", status_code=204)
async def hear_news(item: News, request: Request) -> None:
    await request.app.state.news.publish(item)


@app.exception_handler(grpc.aio.AioRpcError)
async def refused(request: Request, error: grpc.aio.AioRpcError) -> JSONResponse:
    statuses = {grpc.StatusCode.NOT_FOUND: 404, grpc.StatusCode.INVALID_ARGUMENT: 422}
    return JSONResponse({"detail": error.details()}, statuses.get(error.code(), 502))


@app.exception_handler(OrdersUnavailable)
async def unavailable(request: Request, error: OrdersUnavailable) -> JSONResponse:
    return JSONResponse({"detail": "orders cannot be reached"}, 503)


def _as_json(order: Order) -> dict[str, Any]:
    return MessageToDict(
        order, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
