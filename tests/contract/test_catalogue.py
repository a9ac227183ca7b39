"""Every integration is held to the contract, and says which versions it supports."""

import importlib
from importlib import metadata
from inspect import Signature, getattr_static, signature

import pytest
from packaging.requirements import Requirement

from otel_kit.integrations import CATALOGUE, load
from otel_kit.integrations._shape import Integration
from otel_kit.testing import capture
from tests.contract.harness import BREAKERS, CLIENTS, CONSUMERS, PRODUCERS, RETRIES, SERVERS

HOPS = (*CLIENTS, *SERVERS, *PRODUCERS, *CONSUMERS)
NAMING = {"strawberry", "temporalio"}
"""They name the hops of other libraries and make none: `tests/integrations` holds them to it."""
LIBRARIES = NAMING | {harness.library for harness in (*HOPS, *BREAKERS, *RETRIES)}


def test_every_integration_has_a_harness() -> None:
    """A name in CATALOGUE that no harness drives is not held to the contract."""
    assert sorted(CATALOGUE) == sorted(LIBRARIES)


def test_who_sends_messages_is_also_tested_as_receiver() -> None:
    """A library of messaging has a harness for either end."""
    assert {h.library for h in PRODUCERS} == {h.library for h in CONSUMERS}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_installed_version_is_supported(name: str) -> None:
    """The range that an integration declares holds the version that the contract is run on."""
    requirement = Requirement(load(name).supports)

    assert metadata.version(requirement.name) in requirement.specifier


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_integration_is_filed_under_its_librarys_name(name: str) -> None:
    """The name in CATALOGUE is the integration's own."""
    assert load(name).name == name


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_uninstalling_restores_the_very_same_objects(name: str) -> None:
    """Every function and property that was patched is put back where it was, and nowhere else."""
    integration = load(name)
    before = standing(integration)
    with capture(integrations=[name]):
        within = standing(integration)
    after = standing(integration)

    assert before
    assert not any(within[target][0] is own for target, (own, _) in before.items())
    assert all(after[target][0] is own for target, (own, _) in before.items())
    assert [is_own for _, is_own in after.values()] == [is_own for _, is_own in before.values()]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_signatures_are_unchanged(name: str) -> None:
    """What is patched takes the same arguments, for whoever looks."""
    integration = load(name)
    before = signatures(integration)
    with capture(integrations=[name]):
        assert signatures(integration) == before


def signatures(integration: Integration) -> dict[str, Signature]:
    found = standing(integration).items()
    return {target: signature(each) for target, (each, _) in found if callable(each)}


def standing(integration: Integration) -> dict[str, tuple[object, bool]]:
    """What stands where the integration patches; whether its class has it itself."""
    patches = [each for part in (integration, *integration._sides) for each in part._patches]
    return {patch.target: _at(patch.target) for patch in patches}


def _at(target: str) -> tuple[object, bool]:
    module, _, path = target.partition(":")
    owner: object = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr_static(owner, each)
    return getattr_static(owner, name), name in vars(owner)
