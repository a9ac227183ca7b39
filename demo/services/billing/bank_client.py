"""The HTTP client of the bank, behind a timeout, retries and a circuit breaker."""

from typing import Final

import httpx

import otel_kit
from demo import config
from demo.resilience.breaker import BreakerOpen, CircuitBreaker
from demo.resilience.retry import STANDARD, Backoff, retry_async

TIMEOUT: Final = 3.0

Body = dict[str, str | int]


class PaymentDeclined(Exception):
    """The bank said no."""


class BankUnavailable(Exception):
    """The bank did not answer, or not sensibly."""


def bank_breaker() -> CircuitBreaker:
    """Return a breaker that opens after 5 failures in 60 s and tries 3 calls 30 s later."""
    return CircuitBreaker("bank", counts=(BankUnavailable,))


def http_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=config.url("bank"), timeout=TIMEOUT)


class BankClient:
    def __init__(
        self, client: httpx.AsyncClient, breaker: CircuitBreaker, backoff: Backoff = STANDARD
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._watched = otel_kit.watch_breaker(breaker)
        self._backoff = backoff

    async def charge(self, order_id: str, amount_cents: int, key: str) -> None:
        """Charge once per ``key``.

        Raises:
            PaymentDeclined: the bank said no.
            BankUnavailable: it failed five times.
            BreakerOpen: it failed so often lately that it was not asked (again).
        """
        body: Body = {"order_id": order_id, "amount_cents": amount_cents}

        async def attempt() -> None:
            try:
                with self._breaker:
                    await self._post(body, key)
            except BreakerOpen:
                self._watched.rejected()
                raise

        await retry_async(attempt, on=(BankUnavailable,), name="charge", backoff=self._backoff)

    async def _post(self, body: Body, key: str) -> None:
        try:
            reply = await self._client.post("/charges", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError as error:
            raise BankUnavailable(repr(error)) from error
        if reply.status_code == httpx.codes.PAYMENT_REQUIRED:
            raise PaymentDeclined(reply.json()["detail"])
        if reply.is_error:
            raise BankUnavailable(f"the bank answered {reply.status_code}")
