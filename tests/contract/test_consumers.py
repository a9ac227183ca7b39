"""The kit's own libraries, held to the contract of what hands out messages."""

from otel_kit.testing.contract.consumers import *
from tests.contract.harness import CONSUMERS

HARNESSES = CONSUMERS
