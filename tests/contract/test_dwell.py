"""The kit's own libraries, held to the contract of how long messages waited."""

from otel_kit.testing.contract.dwell import *
from tests.contract.harness import CONSUMERS

HARNESSES = CONSUMERS
