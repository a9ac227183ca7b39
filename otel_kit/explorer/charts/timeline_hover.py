"""What the timeline says when one points at something."""

import time
from collections import Counter
from typing import Final

from otel_kit.explorer.charts.figure import plain
from otel_kit.explorer.charts.time_axis import exact
from otel_kit.explorer.model.critical_path import Piece
from otel_kit.explorer.model.marks import Mark
from otel_kit.explorer.model.segments import Segment
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.model.timeline import Bar, Stretch

_KINDS: Final = {
    "work": "work",
    "queue": "waiting in a queue",
    "network": "network",
    "backoff": "back-off before the next attempt",
    "rejected": "rejected by an open breaker",
    "open": "started, not ended",
    "gap": "unknown",
}


def of_bar(story: Story, bar: Bar) -> str:
    """Facts of one segment, or of many."""
    if len(bar.segments) == 1:
        return _of_segment(story, bar.segments[0])
    kinds = Counter(segment.kind for segment in bar.segments)
    lines = [
        f"<b>{len(bar.segments)} bars</b>, too narrow to be drawn apart",
        ", ".join(f"{many} × {_KINDS[kind]}" for kind, many in kinds.most_common()),
        _when(story, bar.started_ns, bar.ended_ns, "together"),
        f"longest: {plain(bar.longest.label)}, {_took(bar.longest)}",
    ]
    if bar.errors:
        classes = Counter(segment.error for segment in bar.segments if segment.error)
        said = ", ".join(f"{plain(name)} {many}×" for name, many in classes.most_common(3))
        lines.append(f"<b>errors: {said}</b>")
    return "<br>".join([*lines, "<i>click to look closer</i>"])


def _of_segment(story: Story, segment: Segment) -> str:
    where = plain(segment.row) + (f" · step {plain(segment.step)}" if segment.step else "")
    lines = [
        f"<b>{plain(segment.label)}</b>",
        where,
        _KINDS[segment.kind] + (", compensating" if segment.compensation else ""),
        _when(story, segment.started_ns, segment.ended_ns, "took"),
    ]
    if segment.client:
        lines.append(f"{_PEERS.get(segment.kind, 'with')}: {plain(segment.client)}")
    if segment.error:
        lines.append(f"<b>error: {plain(segment.error)}</b>")
    return "<br>".join(lines)


_PEERS: Final = {"queue": "sent by", "network": "to"}


def of_stretch(story: Story, stretch: Stretch) -> str:
    """A part of the critical path."""
    kind = _KINDS[stretch.label]
    if len(stretch.pieces) > 1:
        kind = f"{len(stretch.pieces)} pieces, mostly {kind}"
    lines = [
        "<b>critical path</b>",
        kind,
        _between(story, stretch.pieces[0]),
        _when(story, stretch.started_ns, stretch.ended_ns, "took"),
    ]
    return "<br>".join(line for line in lines if line)


def _between(story: Story, piece: Piece) -> str:
    name = plain(story.spans[piece.span].name)
    if piece.client == piece.server:
        return f"{plain(piece.server)}: {name}"
    return f"{plain(piece.client)} → {plain(piece.server)}: {name}"


def of_mark(story: Story, mark: Mark) -> str:
    """Something that happened at once."""
    return f"<b>{plain(mark.sentence.replace('`', ''))}</b><br>{_at(story, mark.time_ns)}"


def _when(story: Story, started_ns: int, ended_ns: int, verb: str) -> str:
    return f"{verb} <b>{exact(ended_ns - started_ns)}</b><br>{_at(story, started_ns)}"


def _at(story: Story, time_ns: int) -> str:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_ns // 10**9))
    since = exact(time_ns - story.started_ns)
    return f"at {since} · {clock}.{time_ns % 10**9 // 1000:06d} UTC"


def _took(segment: Segment) -> str:
    return exact(segment.ended_ns - segment.started_ns)
