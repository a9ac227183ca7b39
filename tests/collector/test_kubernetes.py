"""The manifests for many machines fit the configurations that they mount."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from collector.stack.parts import HERE, VERSIONS

Manifest = dict[str, Any]
_PORT = re.compile(r"\$\{env:\w*_PORT:-(\d+)\}")


def kustomized(folder: Path) -> Iterator[Manifest]:
    """Every manifest that a kustomization names, its own and those of folders."""
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in wanted["resources"]:
        path = folder / name
        if path.is_dir():
            yield from kustomized(path)
        else:
            yield from yaml.safe_load_all(path.read_text())


ROOT = yaml.safe_load((HERE / "kustomization.yaml").read_text())
MANIFESTS = list(kustomized(HERE))
FILES = {
    entry["name"]: [HERE / file for file in entry.get("files", [])]
    for entry in ROOT["configMapGenerator"]
}
ADDRESSES = dict(
    literal.split("=", 1)
    for entry in ROOT["configMapGenerator"]
    for literal in entry.get("literals", [])
)
WORKLOADS = {
    manifest["metadata"]["name"]: manifest["spec"]
    for manifest in MANIFESTS
    if "template" in manifest.get("spec", {})
}
PODS = {name: workload["template"]["spec"] for name, workload in WORKLOADS.items()}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
CONFIGURED = [name for name in CONTAINERS if name != "topics"]


def mounted(name: str) -> dict[str, Path]:
    """The files of config maps that a pod sees, by their path in it."""
    maps = {each["name"]: each.get("configMap", {}).get("name") for each in PODS[name]["volumes"]}
    found: dict[str, Path] = {}
    for mount in CONTAINERS[name]["volumeMounts"]:
        for file in FILES.get(maps.get(mount["name"], ""), []):
            if "subPath" not in mount:
                found[str(PurePosixPath(mount["mountPath"], file.name))] = file
            elif mount["subPath"] == file.name:
                found[mount["mountPath"]] = file
    return found


def configuration(name: str) -> Path:
    """What the container is told to read; fails unless it is mounted there."""
    arguments = CONTAINERS[name]["args"]
    [flag] = [each for each in arguments if each.startswith(("--config=", "--config.file="))]
    return mounted(name)[flag.partition("=")[2]]


@pytest.mark.parametrize("file", [file for files in FILES.values() for file in files], ids=str)
def test_every_file_of_a_config_map_exists(file: Path) -> None:
    """A kustomization that names a file which is not there applies nothing."""
    assert file.is_file()


def test_no_rule_of_prometheus_is_forgotten() -> None:
    """The config map has every file of `prometheus/rules`."""
    assert set(FILES["prometheus-rules"]) == set((HERE / "prometheus" / "rules").glob("*.yaml"))


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_container_reads_a_configuration_that_is_mounted(name: str) -> None:
    """Its `--config` is a file of a config map."""
    assert configuration(name).suffix == ".yaml"


@pytest.mark.parametrize("name", [name for name in CONFIGURED if name != "prometheus"])
def test_its_ports_are_those_of_its_configuration(name: str) -> None:
    """The defaults, unless the container says otherwise."""
    ports = {port["containerPort"] for port in CONTAINERS[name]["ports"]}
    listened = {int(port) for port in _PORT.findall(configuration(name).read_text())}

    assert ports <= listened
    assert listened - ports <= {16685}  # Jaeger's gRPC API, which nothing here uses


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_probe_and_a_mount_are_of_something_that_is_there(name: str) -> None:
    """Ports by their name; volumes of the pod or of its claims."""
    container = CONTAINERS[name]
    claims = {
        claim["metadata"]["name"] for claim in WORKLOADS[name].get("volumeClaimTemplates", [])
    }
    volumes = {each["name"] for each in PODS[name]["volumes"]} | claims

    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    ports = {port["name"] for port in container["ports"]}
    assert container["readinessProbe"]["httpGet"]["port"] in ports
    assert container["livenessProbe"]["httpGet"]["port"] in ports


@pytest.mark.parametrize("name", [name for name in CONFIGURED if name != "prometheus"])
def test_a_variable_is_one_that_the_configuration_reads(name: str) -> None:
    """A misspelt one would silently leave the default."""
    read = set(re.findall(r"\$\{env:(\w+)", configuration(name).read_text()))
    told = {each["name"] for each in CONTAINERS[name]["env"]} - {"GOMEMLIMIT"}

    assert told <= read


def test_every_address_is_read_by_some_configuration() -> None:
    """What `addresses` says is what they ask for."""
    texts = [file.read_text() for files in FILES.values() for file in files]

    assert all(any(f"${{env:{name}" in text for text in texts) for name in ADDRESSES)


@pytest.mark.parametrize("address", ["OTELCOL_GATEWAYS", "JAEGER_ENDPOINT", "PROMETHEUS_WRITE_URL"])
def test_an_address_is_a_service_and_a_port_of_it(address: str) -> None:
    """Of those that these manifests make."""
    [(host, port)] = re.findall(r"(\w+)(?:, port: '|:)(\d+)", ADDRESSES[address])

    assert int(port) in {each["port"] for each in service(host)["spec"]["ports"]}


def test_a_service_leads_to_ports_of_the_pods_that_it_selects() -> None:
    """By the label that the pods carry, and by the ports' names."""
    for each in (each for each in MANIFESTS if each["kind"] == "Service"):
        container = CONTAINERS[each["spec"]["selector"]["app"]]
        targets = {port["targetPort"] for port in each["spec"]["ports"]}
        assert targets <= {port["name"] for port in container["ports"]}


def test_what_prometheus_scrapes_are_services_with_that_port() -> None:
    """The second group's service has its kustomization's suffix."""
    second = yaml.safe_load((HERE / "kubernetes/second-group/kustomization.yaml").read_text())
    jobs = yaml.safe_load((HERE / "kubernetes/scrape.yaml").read_text())["scrape_configs"]
    for target in (target for job in jobs for target in job["dns_sd_configs"]):
        for name in target["names"]:
            found = service(name.removesuffix(second["nameSuffix"]))
            assert target["port"] in {port["port"] for port in found["spec"]["ports"]}


def test_the_groups_of_samplers_have_names_of_their_own() -> None:
    """Members of one group would share the partitions instead of deciding twice."""
    groups = [
        yaml.safe_load((HERE / "kubernetes" / folder / "kustomization.yaml").read_text())
        for folder in ("sampler", "second-group")
    ]
    names = [group["labels"][0]["pairs"]["group"] for group in groups]

    assert len(set(names)) == 2


def test_images_are_those_of_the_versions_file() -> None:
    """What is deployed is what the stack tests run."""
    pinned = {str(part["image"]) for part in VERSIONS.values() if "image" in part}

    assert {container["image"] for container in CONTAINERS.values()} <= pinned


def service(name: str) -> Manifest:
    """Fails the test if there is none."""
    return next(
        each for each in MANIFESTS if each["kind"] == "Service" and each["metadata"]["name"] == name
    )
