"""The kit's own libraries, held to the contract of what answers requests."""

from otel_kit.testing.contract.servers import *
from tests.contract.harness import SERVERS

HARNESSES = SERVERS
