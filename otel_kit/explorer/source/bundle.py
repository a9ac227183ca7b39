"""One saga in a file, as a source: what someone saved can be looked at by anyone."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from otel_kit.exceptions import OtelKitError
from otel_kit.explorer.model import bundle
from otel_kit.explorer.model.bundle import MalformedBundle
from otel_kit.explorer.model.state import STATES
from otel_kit.explorer.model.usual import Usual
from otel_kit.explorer.source.base import (
    IN_PROGRESS,
    Answer,
    NotKnown,
    Rows,
    SagaPage,
    SagaSearch,
)
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    QueueRecord,
    SagaDetail,
    StateCount,
)

R = TypeVar("R")
_UNTOLD: Final = "The source that this file was saved from could not tell."
_MAX_NAME: Final = 80


class CannotOpen(OtelKitError):
    """A file cannot be read, or is no saga bundle; the message says which and why."""


class BundleSource:
    """Reads from a saga that was saved as a file; never asks over the network."""

    def __init__(self, name: str, data: bytes) -> None:
        """`name` is the file's, for the reader; raises `CannotOpen`."""
        self.name = name[-_MAX_NAME:]
        try:
            self._bundle = bundle.read(data)
        except MalformedBundle as error:
            raise CannotOpen(f"{self.name} cannot be opened: {error}.") from error
        self._digest = hashlib.sha256(data).hexdigest()[:8]

    @classmethod
    def at(cls, path: Path) -> "BundleSource":
        """The bundle in a file; raises `CannotOpen`."""
        try:
            with path.open("rb") as file:
                data = file.read(bundle.MAX_BYTES + 1)
        except OSError as error:
            raise CannotOpen(f"{path} cannot be read: {error.strerror}.") from error
        return cls(path.name, data)

    @property
    def label(self) -> str:
        """The file's name, when it was saved, and what tells it from others of this name."""
        saved = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.as_of_ns / 1e9))
        return f"file {self.name} as of {saved} UTC ({self._digest})"

    @property
    def as_of_ns(self) -> int:
        """When it was saved."""
        return self._bundle.exported_ns

    @property
    def saga_id(self) -> str:
        """Of the saga in it."""
        return self._bundle.detail.saga.id

    @property
    def usual(self) -> Usual | None:
        """What was usual for sagas of this name when it was saved."""
        return self._bundle.usual

    def limits(self) -> Sequence[str]:
        """What lies outside the file."""
        return ("a file holds one saga, and the metrics around it when it was saved",)

    def find_sagas(self, search: SagaSearch) -> SagaPage:
        """The one saga, if it fits."""
        saga = self._bundle.detail.saga
        fits = search.admits(saga) and (search.order != "stalest" or saga.state in IN_PROGRESS)
        return SagaPage((saga,) if fits else ())

    def count_by_state(self, search: SagaSearch) -> Answer[StateCount]:
        """One, or none."""
        found = self.find_sagas(replace(search, states=(), order="newest"))
        states = [saga.state for saga in found.rows]
        return Rows(tuple(StateCount(state, states.count(state)) for state in STATES))

    def saga_names(self) -> Answer[str]:
        """Its name."""
        return Rows((self._bundle.detail.saga.name,))

    def saga(self, saga_id: str) -> SagaDetail | None:
        """The saga, if it is this one."""
        return self._bundle.detail if saga_id == self.saga_id else None

    def samples(self, name: str, limit: int = 20) -> Sequence[SagaDetail]:
        """None: what was learned from them is in `usual`."""
        return ()

    def edges(self) -> Answer[EdgeRecord]:
        """Pairs of services that talk."""
        return self._answer(self._bundle.around.edges)

    def queues(self) -> Answer[QueueRecord]:
        """Queues with their consumers' groups."""
        return self._answer(self._bundle.around.queues)

    def breakers(self) -> Answer[BreakerRecord]:
        """Circuit breakers."""
        return self._answer(self._bundle.around.breakers)

    def propagation(self) -> Answer[PropagationRecord]:
        """What became of the context, hop by hop."""
        return self._answer(self._bundle.around.propagation)

    def trace_url(self, trace_id: str) -> str | None:
        """None: a file has no pages."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""

    def _answer(self, rows: Sequence[R] | None) -> Answer[R]:
        return NotKnown(_UNTOLD) if rows is None else Rows(tuple(rows), self._bundle.window_s)
