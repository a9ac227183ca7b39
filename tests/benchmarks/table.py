"""The results as tables on a terminal."""

from collections.abc import Iterator

from rich.table import Table

from tests.benchmarks import peers
from tests.benchmarks.figures import BARE, RATIOS, Results, Spread
from tests.benchmarks.work import WORK


def tables(results: Results) -> Iterator[Table]:
    """One a kind of work, then one of everything measured besides."""
    for work, title in WORK.items():
        if any(cell["work"] == work for cell in results.data["cells"]):
            yield _costs(results, work, title)
    if results.data["extras"]:
        yield _extras(results)


def added(results: Results, subject: str, work: str, ratio: float) -> str:
    """`+355 µs (1.00, 0.98–1.03)`: the median, and its share of contrib's with the spread."""
    values = results.added(subject, work, ratio)
    if not values:
        return ""
    text = f"{Spread.of(values).median:+.0f} µs"
    if shares := results.to_reference(subject, work, ratio):
        share = Spread.of(shares)
        text += f" ({share.median:.2f}, {share.low:.2f}–{share.high:.2f})"
    return text


def _costs(results: Results, work: str, title: str) -> Table:
    table = Table(title=f"{title}: CPU a hop adds (share of contrib's, its spread)")
    table.add_column("sampled")
    for ratio in RATIOS:
        table.add_column(f"{ratio:.0%}", justify="right")
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
    lost = results.lost(subject, work)
    spans = f"{cell['spans_per_hop']:g}" + (
        f", LOST {lost:,} of {cell['expected']:,.0f}" * bool(lost)
    )
    return [*(added(results, subject, work, ratio) for ratio in RATIOS), spans]


_EXTRAS = {
    "startup_ms": ("start-up, CPU", "{:.0f} ms"),
    "blocks_held": ("memory blocks held a hop", "{:.0f}"),
    "grown_mb": ("memory grown in 100,000 hops", "{:.1f} MB"),
    "requests_per_s": ("uvicorn", "{:.0f}/s"),
    "p50_ms": ("p50", "{:.1f} ms"),
    "p99_ms": ("p99", "{:.1f} ms"),
}
"""Key of a results file → heading, format."""


def _extras(results: Results) -> Table:
    table = Table(title="ASGI server, everything sampled")
    table.add_column("subject")
    for heading, _ in _EXTRAS.values():
        table.add_column(heading, justify="right")
    for subject, found in results.data["extras"].items():
        cells = [
            form.format(found[key]) if key in found else "" for key, (_, form) in _EXTRAS.items()
        ]
        table.add_row(peers.load(subject).title, *cells)
    return table
