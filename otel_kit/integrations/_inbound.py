"""The wrappers around what hands out messages: one by one, as an iterator, a list, to a handler."""

from collections.abc import AsyncIterator, Callable, Iterator
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, TypeVar
from weakref import WeakSet

import wrapt

from otel_kit.hops import Hop
from otel_kit.hops.loops import Taken
from otel_kit.hops.messaging import Handed
from otel_kit.integrations._guard import Guard
from otel_kit.integrations._patch import Call

Describe = Callable[..., Hop | None]
M = TypeVar("M")


class Loop:
    """`describe(message, consumer)` of what is handed out: the caller's code is the handler."""

    def __init__(self, integration: Guard, describe: Describe) -> None:
        self._integration = integration
        self._describe = describe

    def asked(self, consumer: Any) -> None:
        """`consumer` is asked for its next message."""
        self._integration._guarded(self._integration.loops.asked_again, consumer)

    def closed(self, consumer: Any) -> None:
        """`consumer` hands out nothing more."""
        self._integration._guarded(self._integration.loops.closed, consumer)

    def closing(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        """Stands around a function that closes a consumer."""
        self.closed(consumer)
        return wrapped(*args, **kwargs)

    def hands_out(self, message: M, consumer: Any, source: Any = None) -> M:
        """The message, whose hop begins; `source` hands it out, if not the consumer itself."""
        hop = self._integration._guarded(self._describe, message, consumer)
        if hop is not None:
            by = consumer if source is None else source
            self._integration._guarded(self._integration.loops.handed_out, by, hop)
        return message


class OneByOne(Loop):
    """Stands around a function that returns a message, or what is to be awaited for one."""

    def __call__(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        if self._integration.idle():
            return wrapped(*args, **kwargs)
        if iscoroutinefunction(wrapped):
            return self._awaited(wrapped, consumer, args, kwargs)
        self.asked(consumer)
        result = wrapped(*args, **kwargs)
        if iscoroutine(result):
            return self._finished(result, consumer)
        return self.hands_out(result, consumer)

    async def _awaited(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        self.asked(consumer)
        return self.hands_out(await wrapped(*args, **kwargs), consumer)

    async def _finished(self, coroutine: Any, consumer: Any) -> Any:
        return self.hands_out(await coroutine, consumer)


class Iterated(Loop):
    """Stands around a function that returns an iterator of messages, asynchronous or not."""

    def __init__(self, integration: Guard, describe: Describe) -> None:
        super().__init__(integration, describe)
        self._iterators: WeakSet[_Messages] = WeakSet()

    def __call__(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        if self._integration.idle() or not isinstance(result, (Iterator, AsyncIterator)):
            return result
        kind = _AsyncMessages if isinstance(result, AsyncIterator) else _Messages
        messages = kind(result, self, consumer)
        self._iterators.add(messages)
        return messages

    def closed(self, consumer: Any) -> None:
        super().closed(consumer)
        for each in list(self._iterators):
            if each._self_consumer is consumer:
                super().closed(each)


class _Messages(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """An iterator, or a generator, that is the library's own in all but what it hands out."""

    def __init__(self, iterator: Any, loop: Loop, consumer: Any) -> None:
        super().__init__(iterator)
        self._self_loop = loop
        self._self_consumer = consumer

    def __iter__(self) -> "_Messages":
        return self

    def __next__(self) -> Any:
        self._self_loop.asked(self)
        return self._self_loop.hands_out(next(self.__wrapped__), self._self_consumer, self)

    def close(self) -> None:
        self._self_loop.closed(self)
        self.__wrapped__.close()


class _AsyncMessages(_Messages):
    def __aiter__(self) -> "_AsyncMessages":
        return self

    async def __anext__(self) -> Any:
        self._self_loop.asked(self)
        message = await anext(self.__wrapped__)
        return self._self_loop.hands_out(message, self._self_consumer, self)

    async def aclose(self) -> None:
        self._self_loop.closed(self)
        await self.__wrapped__.aclose()


class Batch(Handed[M]):
    """A list of messages as a library returns it.

    Who iterates over it, for the first time, handles them one by one (`json.dumps` iterates as
    well).  In all else it is the list that it was.
    """

    def __init__(self, messages: list[M], loop: Loop, consumer: Any) -> None:
        super().__init__(messages)
        self._unhandled: tuple[Loop, Any] | None = (loop, consumer)

    def __iter__(self) -> Iterator[M]:
        messages, unhandled = super().__iter__(), self._unhandled
        self._unhandled = None
        return messages if unhandled is None else _Messages(messages, *unhandled)

    def as_one(self) -> list[M]:
        self._unhandled = None
        return list(super().__iter__())

    def __reduce__(self) -> Any:
        return list, (list(super().__iter__()),)


class Handlers:
    """Stands around a function that is given a handler: `describe(consumer, *message)`.

    The handler is called, or awaited, within the hop of its message, and stays in all else what it
    was.  `parameter` names the argument; `ours` tells handlers that are none of the application's.
    """

    def __init__(
        self,
        integration: Guard,
        describe: Describe,
        parameter: str,
        ours: Callable[[Any], bool] | None,
    ) -> None:
        self._integration = integration
        self._describe = describe
        self._parameter = parameter
        self._ours = ours

    def __call__(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Any:
        call = self._integration._guarded(self._replaced, wrapped, consumer, args, kwargs)
        return wrapped(*args, **kwargs) if call is None else call.proceed(wrapped)

    def _replaced(self, wrapped: Any, consumer: Any, args: Any, kwargs: Any) -> Call:
        call = Call.of(wrapped, consumer, args, kwargs)
        handler = call[self._parameter]
        if callable(handler) and not (self._ours is not None and self._ours(handler)):
            call[self._parameter] = self.handling(handler, consumer)
        return call

    def handling(self, handler: Any, consumer: Any) -> Any:
        """`handler`, within hops; one that is already (registered again) as it is."""
        return handler if isinstance(handler, _Handler) else _Handler(handler, self, consumer)

    def call(self, handler: Any, consumer: Any, message: Any, named: Any) -> Any:
        """The handler's result, or what is to be awaited for it."""
        if self._integration.idle():
            return handler(*message, **named)
        if iscoroutinefunction(handler):
            return self._awaited(handler, consumer, message, named)
        taken = self._begun(consumer, message, named)
        try:
            result = handler(*message, **named)
        except BaseException as error:
            self._returned(consumer, taken, error)
            raise
        if iscoroutine(result) and taken is not None:
            taken.hop.leave()
            return self._finished(result, consumer, taken)
        self._returned(consumer, taken)
        return result

    async def _awaited(self, handler: Any, consumer: Any, message: Any, named: Any) -> Any:
        taken = self._begun(consumer, message, named)
        try:
            result = await handler(*message, **named)
        except BaseException as error:
            self._returned(consumer, taken, error)
            raise
        self._returned(consumer, taken)
        return result

    async def _finished(self, coroutine: Any, consumer: Any, taken: Taken) -> Any:
        taken.hop.resume()
        try:
            result = await coroutine
        except BaseException as error:
            self._returned(consumer, taken, error)
            raise
        self._returned(consumer, taken)
        return result

    def _begun(self, consumer: Any, message: Any, named: Any) -> Taken | None:
        guarded = self._integration._guarded
        hop = guarded(lambda: self._describe(consumer, *message, **named))
        begun: Taken | None = guarded(self._integration.loops.handed_out, consumer, hop)
        return begun

    def _returned(
        self, consumer: Any, taken: Taken | None, error: BaseException | None = None
    ) -> None:
        if taken is not None:
            self._integration._guarded(self._integration.loops.returned, consumer, taken, error)


class _Handler(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """The application's handler."""

    def __init__(self, handler: Any, handlers: Handlers, consumer: Any) -> None:
        def around(wrapped: Any, _bound_to: Any, message: Any, named: Any) -> Any:
            return handlers.call(wrapped, consumer, message, named)

        super().__init__(handler, around)
