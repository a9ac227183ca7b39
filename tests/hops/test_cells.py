"""Cells: no count is lost among threads, in signal handlers or beyond the limits of labels."""

import dis
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Event, Thread
from types import FrameType

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from otel_kit import names
from otel_kit.hops import cells as module
from otel_kit.hops.cells import Cell, Cells, Figures
from otel_kit.hops.edges import Conventional, Edge, Wait
from otel_kit.hops.hop import Convention
from otel_kit.hops.series import Projection, Series

EDGE = Edge("web", "orders", "http", "server", "GET /", None, False, "continued")
CONVENTION = Convention({SpanKind.SERVER: "http.server.request.duration"}, {}, ("http.route",))
SAID = Conventional(CONVENTION, "server", ("/",), None)
HOPS = 20_000


def cells(*, semconv: bool = True, entry_point: bool = False) -> Cells:
    return Cells(Projection(semconv=semconv, entry_point=entry_point))


def taken(these: Cells) -> dict[Series, int]:
    """How many measurements each series has since the last time."""
    found: Counter[Series] = Counter()
    for cell, figures in these.take():
        for series in cell.series:
            found[series] += sum(figures.counts)
    return dict(found)


@pytest.fixture
def restless() -> Iterator[None]:
    """The interpreter switches threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_threads_lose_no_count_while_others_collect() -> None:
    """Every hop is in exactly one collection."""
    these, counted, done = cells(), Counter[Series](), Event()

    def work() -> None:
        for _ in range(HOPS):
            these.hop(0.5, EDGE, SAID, 1, Context())

    def collect() -> None:
        while not done.is_set():
            counted.update(taken(these))

    threads, collector = [Thread(target=work) for _ in range(4)], Thread(target=collect)
    for thread in (collector, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    collector.join()
    counted.update(taken(these))
    assert set(counted.values()) == {4 * HOPS}


def test_a_signal_handler_may_make_hops_anywhere() -> None:
    """Its hops count, and so do those that it interrupts; nobody waits for anybody."""
    these, handled = cells(), [0]

    def handle(_signal: int, _frame: FrameType | None) -> None:
        handled[0] += 1
        these.hop(0.5, EDGE, SAID, 1, Context())

    before = signal.signal(signal.SIGALRM, handle)
    try:
        made = 0
        while handled[0] < 500:
            signal.setitimer(signal.ITIMER_REAL, 1e-6)
            these.hop(0.5, EDGE, SAID, 1, Context())
            made += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(taken(these).values()) == {made + handled[0]}


@pytest.mark.parametrize("function", [Cell.add, Cell.take])
def test_an_update_cannot_be_interrupted(function: Callable[..., object]) -> None:
    """From where it reads the figures to its last store there is no call and no loop."""
    code = list(dis.get_instructions(function))
    stores = [n for n, each in enumerate(code) if each.opname in ("STORE_SUBSCR", "STORE_ATTR")]
    reads = [n for n, each in enumerate(code[: stores[0]]) if each.argval == "_figures"]
    between = {each.opname for each in code[reads[-1] : stores[-1]]}
    assert not [name for name in between if "CALL" in name or "JUMP_BACKWARD" in name]


def test_a_label_past_its_limit_takes_no_cell_of_its_own() -> None:
    """Ids in a label cost it its detail, and the process no memory."""
    these, many = cells(), 3_000
    for number in range(many):
        edge = EDGE._replace(operation=f"GET /{number}")
        these.hop(0.5, edge, SAID, 1, Context())
        these.waited(0.5, Wait("web", "orders", "kafka", f"{number}", "g", False), Context())

    assert len(these._cells) == 2 * 1_001
    found = {
        series: n for series, n in taken(these).items() if ("operation", "_OTHER") in series[1]
    }
    assert list(found.values()) == [many - 1_000]


def test_combinations_of_labels_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many of them a hop counts in two cells, one for its own labels, one for the others."""
    monkeypatch.setattr(module, "_LIMIT", 10)
    these = cells()
    for first in range(30):
        for second in range(30):
            edge = EDGE._replace(operation=f"GET /{first}")
            these.hop(0.5, edge, SAID._replace(values=(f"/{second}",)), 1, Context())

    assert len(these._cells) == 10 + 30 + 30
    assert len(these._known) <= 10
    found = taken(these)
    of = Counter({series.metric.name: 0 for series in found})
    for series, count in found.items():
        of[series.metric.name] += count
    assert of[names.HOP_DURATION] == of["http.server.request.duration"] == 900


def test_a_wait_without_end_is_not_counted() -> None:
    """Somebody's header may say so."""
    these = cells()
    these.waited(float("inf"), Wait("web", "orders", "kafka", "t", "g", False), Context())
    assert taken(these) == {}


def test_figures_of_nothing_are_empty() -> None:
    """And a cell that nobody has used since gives none."""
    assert Figures(3).empty
    these = cells()
    these.hop(0.0, EDGE, None, 1, Context())
    assert set(taken(these).values()) == {1}
    assert taken(these) == {}
