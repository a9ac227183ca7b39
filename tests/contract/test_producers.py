"""The kit's own libraries, held to the contract of what sends messages."""

from otel_kit.testing.contract.producers import *
from tests.contract.harness import PRODUCERS

HARNESSES = PRODUCERS
