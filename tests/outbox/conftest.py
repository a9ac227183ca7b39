"""Each test has an empty table `outbox` in each kind of database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.outbox.databases import MISSING, SCHEMA, Database, PostgreSQL, postgresql, programs


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    if programs() is None:
        pytest.skip(MISSING)
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """With an empty table."""
    if request.param == "sqlite":
        found = Database(str(tmp_path / "test.db"))
    else:
        found = request.getfixturevalue("server")
    with closing(found.connect()) as connection:
        connection.execute("DROP TABLE IF EXISTS outbox")
        connection.execute(found.sql(SCHEMA))
        connection.commit()
    return found
