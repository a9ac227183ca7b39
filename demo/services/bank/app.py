"""The HTTP interface of the bank."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, Field

from demo.faults import Fault, is_on
from demo.storage.database import open_database

SLOW: Final = 1.0
"""Seconds a slow bank takes."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY, idempotency_key TEXT UNIQUE, order_id TEXT, amount_cents INTEGER
);
"""


class ChargeRequest(BaseModel):
    order_id: str = Field(max_length=64)
    amount_cents: int = Field(gt=0)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.database = open_database("bank", SCHEMA)
    yield
    app.state.database.close()


app = FastAPI(title="bank", lifespan=lifespan)


@app.post("/charges", status_code=201)
async def charge(
    asked: ChargeRequest, request: Request, idempotency_key: Annotated[str, Header(max_length=64)]
) -> dict[str, int]:
    """Take the money once per key: 402 if declined, 503 if the bank is down."""
    await _misbehave()
    return {"charge_id": _charge_once(request.app.state.database, idempotency_key, asked)}


async def _misbehave() -> None:
    if is_on(Fault.BANK_DOWN):
        raise HTTPException(503, "the bank is closed")
    if is_on(Fault.BANK_SLOW):
        await asyncio.sleep(SLOW)
    if is_on(Fault.BILLING_DECLINES) or is_on(Fault.COMPENSATION_FAILS):
        raise HTTPException(402, "declined")


def _charge_once(database: sqlite3.Connection, key: str, asked: ChargeRequest) -> int:
    database.execute(
        "INSERT OR IGNORE INTO charges (idempotency_key, order_id, amount_cents) VALUES (?, ?, ?)",
        (key, asked.order_id, asked.amount_cents),
    )
    (charge_id,) = database.execute(
        "SELECT id FROM charges WHERE idempotency_key = ?", (key,)
    ).fetchone()
    return int(charge_id)
