"""The kit's own libraries, held to the contract of what sends requests, when they fail."""

from otel_kit.testing.contract.client_errors import *
from tests.contract.harness import CLIENTS

HARNESSES = CLIENTS
