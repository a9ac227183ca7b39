"""The contract that every integration is held to: scenarios, and what a harness must offer them.

A harness is a small class that drives a library, the real one, against its real other side.  The
page "Writing an integration" leads through one (docs/writing-an-integration.md).  A module of
scenarios is imported whole, next to the harnesses it is to be run with::

    from otel_kit.testing.contract.producers import *
    HARNESSES = [MyProducer]

with ``pytest_plugins = ["otel_kit.testing.contract.plugin"]`` in the top-level ``conftest.py``, and
pytest-asyncio in its mode "auto".
"""

SCENARIOS = (
    "clients",
    "client_errors",
    "servers",
    "server_errors",
    "producers",
    "producer_errors",
    "consumers",
    "processing",
    "queue_time",
    "dwell",
    "logs",
    "queues",
)
"""The modules of scenarios: requests from either side, messages from either side."""
