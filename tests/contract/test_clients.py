"""The kit's own libraries, held to the contract of what sends requests."""

from otel_kit.testing.contract.clients import *
from tests.contract.harness import CLIENTS

HARNESSES = CLIENTS
