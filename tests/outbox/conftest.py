"""Each test has an empty table `outbox` in each kind of database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from otel_kit.testing import Telemetry, capture
from tests.outbox.databases import SCHEMA, Database, Served
from tests.servers.postgresql import PostgreSQL


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """With an empty table."""
    if request.param == "sqlite":
        found = Database(str(tmp_path / "test.db"))
    else:
        found = Served(PostgreSQL.shared())
    with closing(found.connect()) as connection:
        connection.execute("DROP TABLE IF EXISTS outbox")
        connection.execute(found.sql(SCHEMA))
        connection.commit()
    return found


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with capture("orders", integrations=["requests"]) as telemetry:
        yield telemetry


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    engine = create_engine(database.url)
    yield engine
    engine.dispose()
