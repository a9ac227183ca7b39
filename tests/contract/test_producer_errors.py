"""The kit's own libraries, held to the contract of what sends messages, when that fails."""

from otel_kit.testing.contract.producer_errors import *
from tests.contract.harness import PRODUCERS

HARNESSES = PRODUCERS
