"""A library with every awkward shape: what `test_shape.py` instruments."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


class Reply:
    """A result that tells whoever asks when it is done."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """As a retry decorator does it: a plain function that returns what is to be awaited."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Base:
    def send(self, topic: str, headers: object = None) -> Reply:
        return Reply()


class Client(Base):
    """Inherits `send`."""

    async def ask(self, topic: str) -> str:
        return topic

    @decorated
    async def ask_decorated(self, topic: str) -> str:
        if topic == "bad":
            raise TimeoutError("on purpose")
        return topic

    def anything(self, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    def __iter__(self) -> Iterator[int]:
        return self

    def __init__(self) -> None:
        self.left = 2

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration("no more")
        self.left -= 1
        return self.left

    @decorated
    async def receive(self) -> int:
        return 7

    def messages(self) -> Iterator[int]:
        yield from (1, 2)

    async def messages_later(self) -> AsyncIterator[int]:
        for number in (1, 2):
            yield number

    def fetch(self) -> list[int]:
        return [1, 2]

    def subscribe(self, topic: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the handler that the library has registered."""
        return handler


without_signature = dict.fromkeys
