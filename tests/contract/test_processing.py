"""The kit's own libraries, held to the contract of `otel_kit.process()`."""

from otel_kit.testing.contract.processing import *
from tests.contract.harness import CONSUMERS

HARNESSES = CONSUMERS
