"""Each test has an empty table `outbox` in each kind of database."""

from contextlib import closing
from pathlib import Path

import pytest

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
