"""What the dashboards and rules ask Prometheus, read from the files that users get."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))
PROMETHEUS = ROOT / "collector/prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
OF_COLLECTOR = PROMETHEUS / "rules/collector.yaml"
"""Rules about the real Collector, which the embedded one is not."""
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yaml"))

VARIABLES = {
    "$__rate_interval": "30s",
    "$__range": "5m",
    "$side": "client|consumer",
    "$service": ".*",
    "$client": ".*",
    "$transport": ".*",
    "$destination": ".*",
    "$saga": ".*",
}
"""What Grafana puts in: short windows, everything chosen."""


@dataclass(frozen=True)
class Asked:
    """One query, and where it stands: ``dashboard / panel / target`` or ``file / rule``."""

    where: str
    expr: str

    def __str__(self) -> str:
        return f"{self.where}:  {' '.join(self.expr.split())}"


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard, without the headings."""
    return [each for each in json.loads(dashboard.read_text())["panels"] if each["type"] != "row"]


def panel_queries() -> Iterator[Asked]:
    """Every query of every panel, with the variables filled in."""
    for dashboard in DASHBOARDS:
        for panel in panels(dashboard):
            for target in panel["targets"]:
                where = f"{dashboard.stem} / {panel['title']} / {target['refId']}"
                yield Asked(where, filled(target["expr"]))


def filled(expr: str) -> str:
    """An expression as Grafana would send it."""
    return re.sub(r"\$\w+", lambda found: VARIABLES.get(found[0], found[0]), expr)


def rules(files: Iterable[Path] = RULES) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every rule, with the name of its file."""
    for path in files:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield path.name, rule


def recorded() -> set[str]:
    """The names that the recording rules make."""
    return {rule["record"] for _, rule in rules() if "record" in rule}


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for _, rule in rules() if "alert" in rule}


def rule_queries(files: Iterable[Path] = RULES) -> Iterator[Asked]:
    """Every rule's expression; of an alert, which is empty while all is well, what it compares."""
    for file, rule in rules(files):
        if "record" in rule:
            yield Asked(f"{file} / {rule['record']}", rule["expr"])
            continue
        for number, part in enumerate(compared(promql_parser.parse(rule["expr"]))):
            yield Asked(f"{file} / {rule['alert']} / {number}", part)


def compared(tree: Any) -> Iterator[str]:
    """The vectors that an expression compares or combines as sets."""
    if isinstance(tree, promql_parser.ParenExpr):
        yield from compared(tree.expr)
    elif isinstance(tree, promql_parser.BinaryExpr) and str(tree.op) in _DECIDES:
        yield from compared(tree.lhs)
        yield from compared(tree.rhs)
    elif not isinstance(tree, promql_parser.NumberLiteral):
        yield str(tree)


_DECIDES = {"and", "or", "unless", ">", "<", ">=", "<=", "==", "!="}


def selected(expr: str) -> set[str]:
    """The series that an expression names."""
    return set(_selected(promql_parser.parse(expr)))


def _selected(tree: Any) -> Iterator[str]:
    if isinstance(tree, promql_parser.VectorSelector):
        if tree.name:
            yield tree.name
        return
    for attribute in ("lhs", "rhs", "expr", "vector_selector", "param"):
        if (part := getattr(tree, attribute, None)) is not None:
            yield from _selected(part)
    for part in getattr(tree, "args", ()):
        yield from _selected(part)
