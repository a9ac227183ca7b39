"""The kit's own libraries, held to the contract of what takes messages from a queue."""

from otel_kit.testing.contract.queues import *
from tests.contract.harness import QUEUES

HARNESSES = QUEUES
