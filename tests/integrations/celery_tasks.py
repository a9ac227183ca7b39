"""What the one worker of this process can do: Celery runs one application in a process."""

from typing import Any

from celery.exceptions import Ignore
from opentelemetry import trace


class Expected(Exception):
    """What a task says that it may raise."""


def register(app: Any) -> None:
    """Give the application its tasks."""

    @app.task(name="add", shared=False)
    def add(one: int, other: int) -> int:
        return one + other

    @app.task(name="total", shared=False)
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="inside", shared=False)
    def inside() -> int:
        return trace.get_current_span().get_span_context().span_id

    @app.task(
        name="flaky", shared=False, bind=True, autoretry_for=(TimeoutError,), default_retry_delay=0
    )
    def flaky(task: Any) -> int:
        if task.request.retries < 2:
            raise TimeoutError("the database")
        return int(task.request.retries)

    @app.task(name="expected", shared=False, throws=(Expected,))
    def expected() -> None:
        raise Expected

    @app.task(name="ignored", shared=False)
    def ignored() -> None:
        raise Ignore

    @app.task(name="fails", shared=False)
    def fails() -> None:
        raise ValueError("on purpose")
