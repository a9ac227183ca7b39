"""How a panel looks: one function per kind.  Widths are in columns of Grafana's grid, which has 24.

Every panel has a description: what the figure means, and what to do about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    nodegraph,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.source.variables import SOURCE

Panel = TypeVar(
    "Panel",
    bargauge.Panel,
    heatmap.Panel,
    nodegraph.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)
Levels = Sequence[tuple[float, str]]
"""From which value on which colour; below the first it is green."""

SECONDS: Final = "s"
SHARE: Final = "percentunit"
PER_SECOND: Final = "ops"
REQUESTS: Final = "reqps"
COUNT: Final = "short"
BURN: Final = "none"

NOTICE: Final[Levels] = ((1e-9, "orange"),)
"""Anything but zero is worth a look."""
FAULTS: Final[Levels] = ((0.001, "orange"), (0.01, "red"))
"""Shares of failed hops: at 0.1 % the default objective is missed, at 1 % ten times."""
FAULTS_PERCENT: Final[Levels] = ((0.1, "orange"), (1.0, "red"))
LATENCY: Final[Levels] = ((0.5, "orange"), (1.0, "red"))
"""Seconds; the default objective for p99 is one second."""
LATENCY_MS: Final[Levels] = ((500.0, "orange"), (1000.0, "red"))


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` with Grafana's ``{{label}}``."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of figures of a table; the title says the unit.

    Grafana's published schema, and so a dashboard that is valid by it, has no place for the unit
    of a single column.
    """

    title: str
    expr: str
    levels: Levels = ()


def timeline(
    title: str, description: str, *queries: Query,
    unit: str, stacked: bool = False, levels: Levels = (),
    bottom: float | None = 0.0, top: float | None = None,
) -> timeseries.Panel:  # fmt: skip
    """Lines over time; `levels` are drawn as dashed lines."""
    panel = _framed(timeseries.Panel(), title, description, 12, 8)
    panel.unit(unit).line_width(1).fill_opacity(30 if stacked else 8)
    panel.show_points(looks.VisibilityMode.AUTO).span_nulls(60_000)
    panel.legend(_legend()).tooltip(_tooltip())
    if bottom is not None:
        panel.min(bottom)
    if top is not None:
        panel.max(top)
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if levels:
        panel.thresholds(_thresholds(levels)).thresholds_style(_dashed())
    return _asking(panel, queries)


def figure(
    title: str, description: str, query: Query, *,
    unit: str, width: int = 4, levels: Levels = (), none: str = "no data",
) -> stat.Panel:  # fmt: skip
    """One number, coloured by `levels`; with its course behind it, unless it sums up the range."""
    panel = _framed(stat.Panel(), title, description, width, 4)
    panel.unit(unit).no_value(none).thresholds(_thresholds(levels))
    panel.color_mode(looks.BigValueColorMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if "$__range" in query.expr:
        panel.graph_mode(looks.BigValueGraphMode.NONE)
        return panel.with_target(_instant(query, PromQueryFormat.TIME_SERIES).ref_id("A"))
    return _asking(panel.graph_mode(looks.BigValueGraphMode.AREA), [query])


def bars(
    title: str, description: str, query: Query, *,
    unit: str, width: int = 12, levels: Levels = (), none: str = "none",
) -> bargauge.Panel:  # fmt: skip
    """One bar per series, as of now."""
    panel = _framed(bargauge.Panel(), title, description, width, 8)
    panel.unit(unit).min(0).no_value(none).thresholds(_thresholds(levels))
    panel.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.with_target(_instant(query, PromQueryFormat.TIME_SERIES).ref_id("A"))


def rows(
    title: str, description: str, *columns: Column, sort: str, width: int = 24, height: int = 9
) -> table.Panel:
    """One row per set of labels, one column per expression; all as of now."""
    panel = _framed(table.Panel(), title, description, width, height)
    panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)]).filterable(True)
    renamed = {}
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        panel.with_target(_instant(Query(column.expr), PromQueryFormat.TABLE).ref_id(letter))
        renamed[f"Value #{letter}" if len(columns) > 1 else "Value"] = column.title
        if column.levels:
            _coloured(panel, column)
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    options = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": renamed}
    return panel.with_transformation(model.DataTransformerConfig("organize", options=options))


def matrix(
    title: str, description: str, expr: str, *,
    row: str, column: str, unit: str, levels: Levels, width: int = 12, height: int = 10,
) -> table.Panel:  # fmt: skip
    """A square of figures: one label down, another across."""
    panel = _framed(table.Panel(), title, description, width, height)
    panel.unit(unit).thresholds(_thresholds(levels)).no_value("")
    panel.with_target(_instant(Query(expr), PromQueryFormat.TABLE).ref_id("A"))
    panel.cell_options(looks.TableColoredBackgroundCellOptions())
    corner = f"{row}\\{column}"
    plain = looks.TableAutoCellOptions()
    panel.with_override(_named(corner), [model.DynamicConfigValue("custom.cellOptions", plain)])
    options = {"rowField": row, "columnField": column, "valueField": "Value", "emptyValue": "null"}
    return panel.with_transformation(
        model.DataTransformerConfig("groupingToMatrix", options=options)
    )


def heat_map(
    title: str, description: str, query: Query, *, unit: str = SECONDS, width: int = 12
) -> heatmap.Panel:
    """Buckets of a histogram over time, with exemplars as dots that open their trace."""
    panel = _framed(heatmap.Panel(), title, description, width, 8)
    panel.calculate(False).y_axis(heatmap.YAxisConfig().unit(unit)).exemplars_color("orange")
    panel.color(
        heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    )
    panel.filter_values(heatmap.FilterValueRange().le(1e-9))
    asked = _target(query).format(PromQueryFormat.HEATMAP)
    return panel.with_target(asked.ref_id("A"))


def states(
    title: str, description: str, query: Query, *,
    names: Sequence[tuple[str, str]], width: int = 24,
) -> statetimeline.Panel:  # fmt: skip
    """A band per series whose value 0, 1, … has a name and a colour."""
    panel = _framed(statetimeline.Panel(), title, description, width, 7)
    mapped = {
        str(value): model.ValueMappingResult(text=text, color=colour, index=value)
        for value, (text, colour) in enumerate(names)
    }
    panel.mappings([model.ValueMap(mapped)]).legend(_legend()).merge_values(True)
    return _asking(panel, [query])


def graph(title: str, description: str, *, nodes: str, edges: str, unit: str) -> nodegraph.Panel:
    """Services and their edges.

    `nodes` must have the labels `id` and `title`, `edges` `id`, `source` and `target`: Grafana
    tells the two tables apart by them.  The value is the figure shown at each.
    """
    panel = _framed(nodegraph.Panel(), title, description, 12, 10)
    for letter, expr in (("A", nodes), ("B", edges)):
        panel.with_target(_instant(Query(expr), PromQueryFormat.TABLE).ref_id(letter))
    panel.nodes(nodegraph.NodeOptions().main_stat_unit(unit))
    panel.edges(nodegraph.EdgeOptions().main_stat_unit(unit))
    options = {"regex": "Value.*", "renamePattern": "mainstat"}
    return panel.with_transformation(model.DataTransformerConfig("renameByRegex", options=options))


def _framed(panel: Panel, title: str, description: str, width: int, height: int) -> Panel:
    panel.title(title).description(description).datasource(SOURCE)
    return panel.span(width).height(height)


def _asking(panel: Panel, queries: Sequence[Query]) -> Panel:
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query).ref_id(letter))
    return panel


def _target(query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(SOURCE).expr(query.expr).range()
    if query.exemplars:
        target.exemplar(True)
    return target.legend_format(query.legend or "__auto")


def _instant(query: Query, format_: PromQueryFormat) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(SOURCE).expr(query.expr).instant().format(format_)
    return target.legend_format(query.legend or "__auto")


def _thresholds(levels: Levels) -> ThresholdsConfig:
    steps = [model.Threshold(None, "green"), *(model.Threshold(*level) for level in levels)]
    return ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _dashed() -> common.GraphThresholdsStyleConfig:
    return common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)


def _coloured(panel: table.Panel, column: Column) -> None:
    cell = looks.TableColoredBackgroundCellOptions(looks.TableCellBackgroundDisplayMode.BASIC)
    thresholds = _thresholds(column.levels).build()
    values = {"thresholds": thresholds, "custom.cellOptions": cell}
    properties = [model.DynamicConfigValue(key, value) for key, value in values.items()]
    panel.with_override(_named(column.title), properties)


def _named(field: str) -> model.MatcherConfig:
    return model.MatcherConfig("byNames", {"mode": "include", "names": [field]})


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(looks.LegendDisplayMode.LIST)
    return legend.placement(looks.LegendPlacement.BOTTOM).show_legend(True)


def _tooltip() -> common.VizTooltipOptions:
    tooltip = common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI)
    return tooltip.sort(looks.SortOrder.DESCENDING)
