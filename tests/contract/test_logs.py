"""The kit's own libraries, held to the contract of what reads a log."""

from otel_kit.testing.contract.logs import *
from tests.contract.harness import LOGS

HARNESSES = LOGS
