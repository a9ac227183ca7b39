"""Puts a dashboard together: identity, variables, links to its siblings, rows of panels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.source import variables

TAG: Final = "otel-kit"
COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Section:
    """A row of Grafana: a heading, and panels that fill the lines below it."""

    title: str
    panels: Sequence[Builder[model.Panel]]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard; `file` is its name on disk and, with ``otel-kit-``, its identity in Grafana."""

    file: str
    title: str
    description: str
    variables: Sequence[Builder[model.VariableModel]]
    sections: Sequence[Section] = field(default_factory=tuple)

    def build(self) -> model.Dashboard:
        """As Grafana reads it; panels are numbered in reading order."""
        board = Dashboard(self.title).uid(f"otel-kit-{self.file}").description(self.description)
        board.tags([TAG]).time("now-1h", "now").refresh("30s").timezone("browser").editable()
        board.tooltip(model.DashboardCursorSync.CROSSHAIR).link(_siblings())
        for variable in (variables.datasource(), *self.variables):
            board.with_variable(variable)
        for section in self.sections:
            board.with_row(Row(section.title))
            for panel in section.panels:
                board.with_panel(panel)
        return _numbered(board.build())


def _siblings() -> DashboardLink:
    link = DashboardLink("otel_kit").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).keep_time(True).include_vars(True)


def _numbered(dashboard: model.Dashboard) -> model.Dashboard:
    panels: Any = dashboard.panels or []
    for number, panel in enumerate(panels, start=1):
        panel.id_val = number
    return dashboard
