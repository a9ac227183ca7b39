"""What differs between two sagas: shown by the page that compares, and on a saga's own page."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

import streamlit as st

from otel_kit.explorer.charts import compare as chart
from otel_kit.explorer.charts.palette import Palette
from otel_kit.explorer.model import compare, words
from otel_kit.explorer.model.compare import Difference, Profile
from otel_kit.explorer.model.story import Story
from otel_kit.explorer.views import drawn, links, markdown, reading, saga_list, shell
from otel_kit.explorer.views.linked import Linked
from otel_kit.explorer.views.reading import Opened

_HEADS: Final = ("What", "", "Here", "There", "Difference", "")
_MOST: Final = 500


def show_median(opened: Opened) -> None:
    """Against the healthy median; where there is none, that is said."""
    stories = _healthy(opened)
    if stories:
        show(opened, stories)
    elif reading.source().as_of_ns is not None:
        st.info(
            "A file holds one saga: there is no other to compare with.",
            icon=":material/visibility_off:",
        )
    else:
        st.info(
            "No other saga of its name has completed yet: there is no healthy median to compare "
            "with.",
            icon=":material/hourglass_empty:",
        )


def show(opened: Opened, other: Opened | Sequence[Story]) -> None:
    """Both on top, then what differs: in a sentence, drawn, and all of it as a table."""
    palette = shell.palette()
    theirs = _profile(other)
    found = compare.compare(compare.profile(opened.story), theirs)
    there = _side(other) if isinstance(other, Opened) else _median_side(other, theirs)
    _HTML.show(
        f'<div class="sides">{_side(opened)}<span>against</span>{there}</div>{_sentence(found)}',
        key="sides", colours=_colours(palette),
    )  # fmt: skip
    if compare.sentence(found):
        drawn.chart(
            chart.diverging(found, palette), key="differences", alt="What took longer or shorter"
        )
    _HTML.show(_table(found[:_MOST]), key="table", colours=_colours(palette))


def _healthy(opened: Opened) -> list[Story]:
    """The latest healthy sagas of the same name, without itself."""
    saga = opened.detail.saga
    return [story for story in reading.stories(saga.name) if story.saga.id != saga.id]


def _profile(other: Opened | Sequence[Story]) -> Profile:
    if isinstance(other, Opened):
        return compare.profile(other.story)
    return compare.healthy(other)


def _sentence(found: Sequence[Difference]) -> str:
    said = compare.sentence(found)
    text = said + "." if said else "All is alike: nothing differs by more than 25 % and 5 ms."
    return f'<p class="sentence">{markdown.inline_html(text)}</p>'


# -- both on top -----------------------------------------------------------------------------------


def _side(opened: Opened) -> str:
    saga = opened.detail.saga
    address = escape(links.to_saga(saga.id))
    return (
        f'<section><a href="{address}">{escape(saga.id)}</a> {saga_list.chip(opened.verdict.state)}'
        f"<b>{words.duration(opened.story.duration_ns / 1e9)}</b>"
        f"<small>{escape(saga.name)}</small></section>"
    )


def _median_side(stories: Sequence[Story], theirs: Profile) -> str:
    whole = theirs.get(("saga", ""))
    name = escape(stories[0].saga.name) if stories else ""
    return (
        "<section><em>the healthy median</em>"
        f"<b>{words.duration(whole.seconds) if whole else '—'}</b>"
        f"<small>of {words.count(len(stories), f'completed {name} saga')}</small></section>"
    )


# -- the table -------------------------------------------------------------------------------------


def _table(found: Sequence[Difference]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in found)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(row: Difference) -> Iterator[str]:
    sign = "+" if row.more_s >= 0 else "−"
    yield f"<td>{escape(row.name) or 'as a whole'}</td>"
    yield f'<td class="what">{chart.WHATS[row.what]}</td>'
    yield f'<td class="n">{chart.measured(row.mine)}</td>'
    yield f'<td class="n">{chart.measured(row.other)}</td>'
    yield f'<td class="n">{sign}{words.duration(abs(row.more_s))}</td>'
    yield (
        f'<td><span class="chip" style="--c:var(--change-{row.change})">'
        f"{chart.CHANGES[row.change]}</span></td>"
    )


def _colours(palette: Palette) -> dict[str, str]:
    changes = {f"change-{change}": chart.colour(change, palette) for change in chart.CHANGES}
    return {**saga_list.colours(palette), **changes}


_HTML: Final = Linked("differences", "chip")
