"""The kit's own libraries, held to the contract of what answers requests, when that fails."""

from otel_kit.testing.contract.server_errors import *
from tests.contract.harness import SERVERS

HARNESSES = SERVERS
