"""Every integration is held to the contract, and says which versions it supports."""

from importlib import metadata

import pytest
from packaging.requirements import Requirement

from otel_kit.integrations import CATALOGUE, load
from tests.contract.harness import BREAKERS, CLIENTS, CONSUMERS, PRODUCERS, RETRIES, SERVERS

HOPS = (*CLIENTS, *SERVERS, *PRODUCERS, *CONSUMERS)
LIBRARIES = {harness.library for harness in (*HOPS, *BREAKERS, *RETRIES)}


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
