"""Depth and lag of the queues that a client of SQS receives from, as SQS tells them.

A question is a request that AWS counts, and its answer is up to a minute old: so it is asked once
in half a minute, by the application's own client, which needs leave for `sqs:GetQueueAttributes`.
A queue that it may not ask about is asked about no more.
"""

import asyncio
from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from otel_kit.gauges.readings import Queue, Reading
from otel_kit.gauges.sampler import on_loop
from otel_kit.gauges.watched import MAX_QUEUES, Asked, InUse
from otel_kit.integrations._sqs_words import SQS, destination

_WAITING, _IN_HAND = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
_PATIENCE = 5.0
"""Seconds that SQS may take to answer a client for asyncio."""
_REFUSED = range(400, 500)


class Client(Asked):
    """One client, and the queues that it receives from."""

    least: ClassVar[float] = 30.0

    def __init__(self, client: Any) -> None:
        super().__init__(client, "SQS' queues")
        self._urls: dict[str, None] = {}
        self._refused: set[str] = set()
        awaited = iscoroutinefunction(client._make_api_call)
        self._loop = asyncio.get_running_loop() if awaited else None

    def receives(self, url: str) -> None:
        """The client takes messages from the queue of that address."""
        if url not in self._urls and url not in self._refused and len(self._urls) < MAX_QUEUES:
            self._urls[url] = None

    def ask(self, subject: Any) -> Iterable[Reading]:
        if self._loop is not None and self._loop.is_closed():
            self.stop()
            return
        for url in list(self._urls):
            try:
                said = self._attributes(subject, url)
            except ClientError as error:  # no leave to ask, or no such queue any more
                if error.response["ResponseMetadata"]["HTTPStatusCode"] not in _REFUSED:
                    raise
                self._urls.pop(url)
                self._refused.add(url)
                self.failed(error, f"queue {destination({'QueueUrl': url})[1]}")
            else:
                depth, in_hand = int(said[_WAITING]), int(said[_IN_HAND])
                queue = Queue(SQS, destination({"QueueUrl": url})[1], "")
                yield Reading(queue, depth=depth, lag=depth + in_hand)

    def _attributes(self, client: Any, url: str) -> dict[str, str]:
        def ask() -> Any:
            return client.get_queue_attributes(QueueUrl=url, AttributeNames=[_WAITING, _IN_HAND])

        answer = ask() if self._loop is None else on_loop(self._loop, ask, _PATIENCE)
        found: dict[str, str] = answer["Attributes"]
        return found


clients = InUse(Client)
