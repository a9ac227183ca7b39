"""The dashboards that Grafana reads."""

import json
import re
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest
import yaml

from dashboards.source.__main__ import BOARDS, text
from tests.dashboards.queries import DASHBOARDS, ROOT, filled, panel_queries, panels

SCHEMA_MODULE = "github.com/grafana/grafana-foundation-sdk@v0.0.18"
every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def schema() -> Any:
    """Grafana's published JSON schema of a dashboard, from its Go module."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs the go command, which fetches Grafana's JSON schema")
    command = [go, "mod", "download", "-json", SCHEMA_MODULE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd="/")
    if done.returncode:
        pytest.skip(f"needs the Go module {SCHEMA_MODULE}, which could not be fetched")
    folder = Path(json.loads(done.stdout)["Dir"])
    return json.loads((folder / "jsonschema/dashboard.jsonschema.json").read_text())


def test_the_files_are_what_the_code_writes() -> None:
    """`make dashboards` would change nothing, and no file is left over from an older one."""
    assert {f"{board.file}.json" for board in BOARDS} == {path.name for path in DASHBOARDS}
    for board in BOARDS:
        path = ROOT / f"dashboards/{board.file}.json"
        assert text(board) == path.read_text(), f"{path.name} is old: run `make dashboards`"


@every_dashboard
def test_every_dashboard_is_valid(dashboard: Path, schema: Any) -> None:
    """By the schema that Grafana publishes, which allows nothing it does not name."""
    errors = jsonschema.Draft7Validator(schema).iter_errors(json.loads(dashboard.read_text()))

    assert [f"{list(error.absolute_path)}: {error.message}" for error in errors] == []


def test_the_schema_refuses_what_grafana_does_not_know(schema: Any) -> None:
    """So that the test before this one says something."""
    dashboard = {**json.loads(DASHBOARDS[0].read_text()), "bogus": 1}

    with pytest.raises(jsonschema.ValidationError, match="bogus"):
        jsonschema.validate(dashboard, schema)


@every_dashboard
def test_every_panel_explains_itself(dashboard: Path) -> None:
    """A panel has a title of its own, a description in sentences, and a unit."""
    for panel in panels(dashboard):
        assert re.fullmatch(r"[A-Z`0-9].{30,}[.]", panel["description"], re.S), panel["title"]
        plain = panel["type"] in ("table", "nodeGraph", "heatmap", "state-timeline")
        assert plain or panel["fieldConfig"]["defaults"]["unit"], panel["title"]

    assert all(len(set(section)) == len(section) for section in _sections(dashboard))


@every_dashboard
def test_panels_fill_the_grid_and_do_not_overlap(dashboard: Path) -> None:
    """Each line of panels is as wide as Grafana's grid, and no panel lies on another."""
    everything = [each["gridPos"] for each in json.loads(dashboard.read_text())["panels"]]

    assert not [pair for pair in combinations(everything, 2) if _overlap(*pair)]
    for line in {each["y"] for each in everything}:
        assert sum(each["w"] for each in everything if each["y"] == line) == 24


@every_dashboard
def test_panels_are_numbered_once(dashboard: Path) -> None:
    """Links to a panel go by its number."""
    numbers = [each["id"] for each in json.loads(dashboard.read_text())["panels"]]

    assert all(first < second for first, second in pairwise(numbers))


@every_dashboard
def test_variables_are_used_and_defined(dashboard: Path) -> None:
    """Every variable has a purpose, and no query asks for one that is not there."""
    content = json.loads(dashboard.read_text())
    defined = {each["name"] for each in content["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(content["panels"])))

    assert defined == used - {"__rate_interval", "__range"}


@pytest.mark.parametrize("asked", list(panel_queries()), ids=lambda asked: asked.where)
def test_every_query_is_promql(asked: Any) -> None:
    """It parses, with nothing of Grafana's left in it."""
    assert not re.search(r"\$[a-z_{]", asked.expr)
    promql_parser.parse(asked.expr)


def test_datasources_are_linked_both_ways() -> None:
    """An exemplar opens its trace, and a span the metrics of its service."""
    file = ROOT / "dashboards/provisioning/datasources/otel-kit.yaml"
    sources = {each["type"]: each for each in yaml.safe_load(file.read_text())["datasources"]}
    prometheus, jaeger = sources["prometheus"], sources["jaeger"]
    (exemplar,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    metrics = jaeger["jsonData"]["tracesToMetrics"]

    assert (exemplar["name"], exemplar["datasourceUid"]) == ("trace_id", jaeger["uid"])
    assert metrics["datasourceUid"] == prometheus["uid"]
    for query in metrics["queries"]:
        expr = query["query"].replace("$$__tags", 'job="orders"').replace("$$", "$")
        promql_parser.parse(filled(expr))


def _sections(dashboard: Path) -> list[list[str]]:
    sections: list[list[str]] = []
    for each in json.loads(dashboard.read_text())["panels"]:
        if each["type"] == "row":
            sections.append([])
        else:
            sections[-1].append(each["title"])
    return sections


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
