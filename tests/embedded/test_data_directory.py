"""Data directories that cannot be used are refused, and left as they were."""

import sqlite3
from pathlib import Path

import pytest

from otel_kit._listening import PortTaken
from otel_kit.embedded import Embedded
from otel_kit.embedded.problems import DataUnusable
from otel_kit.exceptions import InvalidSetting
from tests.embedded.running import collector

PORTS = {"otlp_grpc_port": 0, "otlp_http_port": 0, "query_port": 0}


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    """A file of another kind in the store's place is named and not touched."""
    file = tmp_path / "telemetry.db"
    file.write_bytes(b"precious" * 1000)

    with pytest.raises(DataUnusable, match="not a database of otel_kit"):
        Embedded(tmp_path, **PORTS).start()
    assert file.read_bytes() == b"precious" * 1000


def test_a_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    """A SQLite file that is not ours is named and not touched."""
    file = tmp_path / "telemetry.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE precious (id)")
    connection.close()
    before = file.read_bytes()

    with pytest.raises(DataUnusable, match="another program"):
        Embedded(tmp_path, **PORTS).start()
    assert file.read_bytes() == before


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """A store that a later version of the kit laid out is not opened."""
    with collector(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "telemetry.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(DataUnusable, match="newer otel_kit"):
        Embedded(tmp_path, **PORTS).start()


def test_an_older_database_is_refused_and_kept(tmp_path: Path) -> None:
    """A store that an earlier version laid out is named, with what can be done, and not touched."""
    file = tmp_path / "telemetry.db"
    with collector(tmp_path):
        pass
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    before = file.read_bytes()

    with pytest.raises(DataUnusable, match=r"older otel_kit.* remove it, or choose another --data"):
        Embedded(tmp_path, **PORTS).start()
    assert file.read_bytes() == before


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """Two collectors do not share a data directory."""
    with collector(tmp_path), pytest.raises(DataUnusable, match="in use"):
        Embedded(tmp_path, **PORTS).start()


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A data directory that is a file is named."""
    (tmp_path / "file").touch()

    with pytest.raises(DataUnusable, match="cannot be made"):
        Embedded(tmp_path / "file", **PORTS).start()


@pytest.mark.parametrize("name", ["otlp_grpc_port", "otlp_http_port", "query_port"])
def test_a_taken_port_is_named_with_its_option(name: str) -> None:
    """Each of the three ports, when taken, is named with the option that changes it."""
    with collector() as client:
        url = {"otlp_grpc_port": client.otlp_grpc_url, "otlp_http_port": client.otlp_http_url}
        port = int(url.get(name, client.query_url).rpartition(":")[2])
        option = "--" + name.replace("_", "-")

        with pytest.raises(PortTaken, match=f"port {port} is taken .* {option}"):
            Embedded(**{**PORTS, name: port}).start()


def test_a_size_too_small_to_work_is_refused() -> None:
    """A store that could hold next to nothing is refused."""
    with pytest.raises(InvalidSetting, match="max-size"):
        Embedded(max_size=1000, **PORTS).start()
