"""docker-compose.yml agrees with itself and with what it mounts: all that shows without Docker."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo import config as demo_config
from otel_kit.cli import main as otel_kit_main

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VERSIONS = tomllib.loads((ROOT / "collector/versions.toml").read_text())

every_service = pytest.mark.parametrize("service", SERVICES)
configured = pytest.mark.parametrize("service", ["collector", "jaeger"])
CONFIGURATIONS = {
    "collector": ROOT / "collector/otelcol/one-machine.yaml",
    "jaeger": ROOT / "collector/jaeger/one-machine.yaml",
    "prometheus": ROOT / "collector/prometheus/compose.yaml",
}
PARTS = {"collector-health": "prometheus", "explorer": "python", "demo": "python"}
"""What a service runs, in versions.toml, where it is not called so."""


def _environment(service: str) -> dict[str, str]:
    return dict(SERVICES[service].get("environment", {}))


def _binds(service: str) -> Iterator[tuple[Path, str]]:
    """What is mounted from the project: path here, and path there with its options."""
    for volume in SERVICES[service].get("volumes", ()):
        source, _, target = volume.partition(":")
        if source.startswith("."):
            yield ROOT / source, target


def _filled(service: str) -> str:
    """The configuration of a service, as it reads in the container; empty if it has none."""
    environment = _environment(service)

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1], match[2])

    path = CONFIGURATIONS.get(service)
    return re.sub(r"\$\{env:(\w+):-([^}]*)\}", value, path.read_text()) if path else ""


def _listens(service: str) -> set[int]:
    """The ports that a service listens on, by its configuration."""
    match service:
        case "collector" | "jaeger":
            found = re.findall(r'0\.0\.0\.0"?(?::|\s+port: )(\d+)', _filled(service))
        case "prometheus":
            found = re.findall(r"--web.listen-address=0\.0\.0\.0:(\d+)", _said(service))
        case "kafka":
            found = re.findall(r"\w+://:(\d+)", _environment(service)["KAFKA_LISTENERS"])
        case "grafana":
            found = ["3000"]  # its default
        case "explorer":
            found = ["8501"]  # the default of otel-kit explore
        case "demo":
            names = demo_config.PORTS.keys() - set(demo_config.COLLECTOR_PORTS)
            found = [str(demo_config.PORTS[name]) for name in names]
        case _:
            found = []
    return {int(port) for port in found}


def _said(service: str) -> str:
    """All that a service is told, but for its image."""
    spec = {key: value for key, value in SERVICES[service].items() if key != "image"}
    return json.dumps(spec) + _filled(service)


def test_the_file_is_valid() -> None:
    """By the schema that the Compose specification publishes."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(FILE)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


@every_service
def test_versions_are_those_that_make_stack_builds(service: str) -> None:
    """Every image has one version, and it is the one in collector/versions.toml."""
    spec = SERVICES[service]
    if "build" in spec:
        base = re.search(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert base is not None
        image = base[1]
    else:
        image = spec["image"]

    assert image == VERSIONS[PARTS.get(service, service)]["image"]


def test_images_have_the_versions_of_the_built_parts() -> None:
    """The tag of an image is the version that `make stack` builds."""
    for part in VERSIONS.values():
        if "version" in part:
            assert part["image"].partition(":")[2].removeprefix("v") == part["version"]


@every_service
def test_what_is_mounted_is_there_and_cannot_be_written(service: str) -> None:
    """Every path of the project exists and is mounted read-only; every volume is declared."""
    for path, target in _binds(service):
        assert path.exists(), path
        assert target.endswith(":ro")
    sources = {volume.partition(":")[0] for volume in SERVICES[service].get("volumes", ())}
    assert {name for name in sources if not name.startswith(".")} <= COMPOSE["volumes"].keys()


@configured
def test_variables_are_those_that_the_configuration_reads(service: str) -> None:
    """None is set in vain, and every address and folder, wrong in a container, is set."""
    path = CONFIGURATIONS[service]
    read = dict(re.findall(r"\$\{env:(\w+):-([^}]*)\}", path.read_text()))
    local = {name for name, default in read.items() if re.search(r"127\.0\.0\.1|^\./", default)}

    assert path in {mounted for mounted, _ in _binds(service)}
    assert _environment(service).keys() <= read.keys()
    assert local <= _environment(service).keys()


@configured
def test_folders_are_on_volumes(service: str) -> None:
    """What a part writes survives its container."""
    targets = [v.split(":")[1] for v in SERVICES[service]["volumes"] if not v.startswith(".")]
    folders = [value for value in _environment(service).values() if value.startswith("/")]

    assert folders
    for folder in folders:
        assert any(folder == target or folder.startswith(f"{target}/") for target in targets)


@every_service
def test_ports_are_published_on_loopback_and_are_listened_on(service: str) -> None:
    """The same port inside and outside, at 127.0.0.1 only."""
    for port in SERVICES[service].get("ports", ()):
        host, outside, inside = port.split(":")
        assert (host, outside) == ("127.0.0.1", inside)
        assert int(inside) in _listens(service), port


@every_service
def test_what_is_called_is_listened_on(service: str) -> None:
    """Each ``service:port`` anywhere is a port that this service listens on."""
    names = "|".join(SERVICES)
    called = re.findall(rf"\b({names}|127\.0\.0\.1|0\.0\.0\.0):(\d+)\b", _said(service))
    others = [(name, port) for name, port in called if not port.startswith("0")]
    for name, port in others:
        assert int(port) in _listens(name if name in SERVICES else service), f"{name}:{port}"


def test_prometheus_scrapes_the_same_as_without_containers() -> None:
    """Its configuration is prometheus.yaml with other hosts, without the embedded collector."""
    folder = ROOT / "collector/prometheus"
    local = yaml.safe_load((folder / "prometheus.yaml").read_text())
    named = (folder / "compose.yaml").read_text()
    jobs = [job for job in local["scrape_configs"] if job["job_name"] != "otel-kit-embedded"]

    hosts = "|".join(SERVICES)
    here = yaml.safe_load(re.sub(rf'"(?:{hosts}):(\d+)"', r'"127.0.0.1:\1"', named))
    assert here == {**local, "scrape_configs": jobs}
    assert "127.0.0.1" not in named


def test_grafana_finds_its_dashboards_and_data_sources() -> None:
    """Where it looks, what they are called, and the variables with their addresses."""
    provisioning = ROOT / "dashboards/provisioning"
    sources = (provisioning / "datasources/otel-kit.yaml").read_text()
    uids = {source["uid"] for source in yaml.safe_load(sources)["datasources"]}
    folders = yaml.safe_load((provisioning / "dashboards/otel-kit.yaml").read_text())["providers"]
    mounted = {there.removesuffix(":ro"): here for here, there in _binds("grafana")}

    assert mounted["/etc/grafana/provisioning"] == provisioning
    assert set(re.findall(r"(?<!\$)\$([A-Z_]+)", sources)) == {"PROMETHEUS_URL", "JAEGER_URL"}
    assert {"PROMETHEUS_URL", "JAEGER_URL"} <= _environment("grafana").keys()
    for folder in folders:
        dashboards = list(mounted[folder["options"]["path"]].glob("*.json"))
        assert dashboards
        for path in dashboards:
            variables = json.loads(path.read_text())["templating"]["list"]
            assert {v["current"]["value"] for v in variables if v["type"] == "datasource"} <= uids


def test_no_password_is_known_beforehand() -> None:
    """Grafana's must be chosen, nobody comes in without, and no other secret stands in the file."""
    grafana = _environment("grafana")

    assert re.fullmatch(r"\$\{GRAFANA_ADMIN_PASSWORD:\?.+\}", grafana["GF_SECURITY_ADMIN_PASSWORD"])
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    for service in SERVICES:
        secret = [n for n in _environment(service) if re.search("PASSWORD|SECRET|TOKEN|KEY", n)]
        assert secret in ([], ["GF_SECURITY_ADMIN_PASSWORD"])
    assert ".env" in (ROOT / ".gitignore").read_text().split()


@every_service
def test_every_service_can_be_waited_for(service: str) -> None:
    """It has a health check, or another service that asks for its health; who waits can."""
    spec = SERVICES[service]
    asked = f"{service}-health"

    assert "healthcheck" in spec or f"//{service}:" in json.dumps(SERVICES[asked]["healthcheck"])
    waits = spec.get("depends_on", {})
    for name in waits if isinstance(waits, dict) else ():
        assert "healthcheck" in SERVICES[name]


def test_the_backends_alone_are_the_default() -> None:
    """The explorer and the demo come with their profiles, and with all that they wait for."""
    profiles = {name: spec.get("profiles") for name, spec in SERVICES.items()}

    assert {name: found for name, found in profiles.items() if found} == {
        "explorer": ["explorer", "demo"],
        "demo": ["demo"],
    }


def test_the_image_has_what_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Its extras and groups exist, and the commands know their options."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()
    (extras,) = re.findall(r"'\.\[(.+)\]'", dockerfile)

    assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()
    assert set(re.findall(r"--group (\w+)", dockerfile)) <= project["dependency-groups"].keys()
    command = SERVICES["explorer"]["command"]
    with pytest.raises(SystemExit):
        otel_kit_main([*command[1:], "--help"])
    told = capsys.readouterr().out
    assert all(option in told for option in command if option.startswith("--"))


def test_the_demo_listens_where_the_others_find_it() -> None:
    """Told the name of its container, it listens there and not on the container's loopback."""
    environment = {**os.environ, **_environment("demo")}
    command = [sys.executable, "-c", "from demo import config; print(config.address('web'))"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.stdout.strip() == f"{SERVICES['demo']['hostname']}:{demo_config.PORTS['web']}"
