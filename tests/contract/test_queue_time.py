"""The kit's own libraries, held to the contract of what the kit alone measures of messages."""

from otel_kit.testing.contract.queue_time import *
from tests.contract.harness import CONSUMERS

HARNESSES = CONSUMERS
