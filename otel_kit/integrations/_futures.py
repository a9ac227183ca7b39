"""A future of asyncio's that ends a hop."""

import asyncio
from typing import Any

from otel_kit.hops import ActiveHop


def acknowledged(hop: ActiveHop, future: "asyncio.Future[Any]") -> None:
    """End the hop when the future is done, with its error."""

    def done(future: "asyncio.Future[Any]") -> None:
        # `exception()` would count as looking at it, and asyncio would no longer tell the
        # application of an error that nobody awaited.
        error = getattr(future, "_exception", None)
        hop.end(asyncio.CancelledError() if future.cancelled() else error)

    future.add_done_callback(done)
