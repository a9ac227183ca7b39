"""The results as tables on a terminal."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from tests.benchmarks import peers
from tests.benchmarks.budget import OURS, Verdict, verdicts
from tests.benchmarks.figures import BARE, RATIOS, Results, Spread
from tests.benchmarks.work import WORK


def tables(results: Results) -> Iterator[Table]:
    """One a kind of work, then one of everything measured besides, and the verdicts."""
    for work, title in WORK.items():
        if any(cell["work"] == work for cell in results.data["cells"]):
            yield _costs(results, work, title)
    if results.data["extras"]:
        yield _extras(results)
    if found := list(verdicts(results)):
        yield _budget(found)


def added(results: Results, subject: str, work: str, ratio: float) -> str:
    """`+355 µs (1.00, 0.98–1.03)`: the median, and its share of contrib's with the spread."""
    values = results.added(subject, work, ratio)
    if not values:
        return ""
    text = f"{Spread.of(values).median:+.0f} µs"
    if shares := results.share(subject, work, ratio):
        text += f" ({_spread(shares)})"
    return text


def _spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """`1.00, 0.98–1.03`: the median, the least and the greatest if there are several."""
    spread = Spread.of(values)
    median, low, high = (form.format(x) for x in (spread.median, spread.low, spread.high))
    return f"{median}, {low}–{high}" if len(values) > 1 else median


def _costs(results: Results, work: str, title: str) -> Table:
    table = Table(title=f"{title}: CPU a hop adds to the bare one (share of contrib's, its spread)")
    table.add_column("sampled")
    for ratio in RATIOS:
        table.add_column(f"{ratio:.0%}", justify="right")
    table.add_column("1 % ÷ 100 %", justify="right")
    table.add_column("spans a hop", justify="right")
    for subject in results.data["subjects"]:
        table.add_row(peers.load(subject).title, *_row(results, subject, work))
    return table


def _row(results: Results, subject: str, work: str) -> list[str]:
    cell = results.cell(subject, work, 1.0)
    if cell is None:
        return [results.missing(subject, work) or "not measured"]
    if subject == BARE:
        return [f"{Spread.of(cell['us']).median:.0f} µs in all"]
    to_full = results.share(subject, work, 0.01, (subject, 1.0))
    return [
        *(added(results, subject, work, ratio) for ratio in RATIOS),
        _spread(to_full) if to_full else "",
        "; ".join([f"{cell['spans_per_hop']:g}", *_losses(results, subject, work)]),
    ]


def _losses(results: Results, subject: str, work: str) -> Iterator[str]:
    for ratio in RATIOS:
        if lost := results.lost(subject, work, ratio):
            expected = results.expected(subject, work, ratio)
            yield f"LOST {lost:,} of {expected:,.0f} at {ratio:.0%}"


def _budget(found: Sequence[Verdict]) -> Table:
    table = Table(title="Budget: what a hop of otel_kit adds, as a share of what another adds")
    for heading in ("hop", "sampled", "share of", "target", "figure", ""):
        table.add_column(heading)
    for verdict in found:
        target = verdict.target
        table.add_row(
            WORK[target.work],
            f"{target.ratio:.0%}",
            "its own at 100 %" if target.of == OURS else f"{peers.load(target.of).title}'s",
            f"≤ {target.limit:.2f}",
            _spread(verdict.shares) if verdict.shares else "not measured",
            _MET[verdict.met],
        )
    return table


_MET = {True: "met", False: "NOT MET", None: ""}
_EXTRAS = {
    "startup_ms": ("start-up, ms of CPU", "{:.0f}"),
    "setup_ms": ("of it import and set-up", "{:.0f}"),
    "allocations": ("allocations a hop", "{:.0f}"),
    "blocks_held": ("memory blocks held a hop", "{:.0f}"),
    "grown_mb": ("MB grown in 100,000 hops", "{:.1f}"),
    "requests_per_s": ("uvicorn, requests a second", "{:.0f}"),
    "p50_ms": ("p50, ms", "{:.1f}"),
    "p99_ms": ("p99, ms", "{:.1f}"),
}
"""Key of a results file → heading, format."""


def _extras(results: Results) -> Table:
    """A column a subject, as there are more figures than subjects."""
    extras = results.data["extras"]
    table = Table(title="ASGI server, everything sampled (median, least and greatest)")
    table.add_column("")
    for subject in extras:
        table.add_column(peers.load(subject).title, justify="right")
    for key, (heading, form) in _EXTRAS.items():
        cells = [_spread(found[key], form) if found.get(key) else "" for found in extras.values()]
        table.add_row(heading, *cells)
    return table
