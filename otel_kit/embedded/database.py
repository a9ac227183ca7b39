"""Opens the data directory: one SQLite file of ours, one lock, one writer and a pool of readers."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

from otel_kit.embedded.problems import DataUnusable

FILE: Final = "telemetry.db"
_LOCK: Final = "in-use.lock"
_APPLICATION_ID: Final = 0x6F746B74
"""Marks a SQLite file as ours ("otkt")."""
_VERSION: Final = 3
"""Of the layout in ``schema.sql``."""
PAGE_BYTES: Final = 8192
"""Larger than SQLite's default, for blocks of some kilobytes."""


class WritingConnection(sqlite3.Connection):
    """Lets others go first before each statement."""

    give_way: Callable[[], None] | None = None
    """What waits for them."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self.give_way is not None:
            self.give_way()
        return super().execute(sql, parameters)


class DataDirectory:
    """A directory that this process alone writes to."""

    def __init__(self, directory: Path, durable: bool, wal_bytes: int) -> None:
        """Open or create the store in `directory`; raises DataUnusable and then changes nothing.

        `durable` waits for the disk at each commit.  `wal_bytes` is the size the write-ahead log
        should keep to.
        """
        self.directory = directory
        self.path = directory / FILE
        _make(directory)
        self._lock = _lock(directory)
        try:
            _check(self.path)
            self.writer = _open_writer(self.path, durable, wal_bytes)
        except BaseException:
            self._lock.close()
            raise
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection that sees one state of the store throughout."""
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or _open_reader(self.path)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")
            with self._idle_lock:
                self._idle.append(connection)

    def file_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return sum(path.stat().st_size for path in self.directory.glob(f"{FILE}*") if path.exists())

    def close(self) -> None:
        """Close every connection and give the directory free."""
        with self._idle_lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
        self.writer.close()
        self._lock.close()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataUnusable(
            f"the data directory {directory} cannot be made: {error.strerror}; "
            "choose another with --data"
        ) from error


def _lock(directory: Path) -> sqlite3.Connection:
    """SQLite's own file lock: on every platform, and gone with the process, however it ends."""
    connection = sqlite3.connect(
        directory / _LOCK, timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            reason = "is in use by another collector; stop it or choose another with --data"
        else:
            reason = f"cannot be written ({error}); choose another with --data"
        raise DataUnusable(f"the data directory {directory} {reason}") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DataUnusable(f"{directory / _LOCK} is not ours; choose another --data") from error
    return connection


def _check(path: Path) -> None:
    """Refuse a file that is not ours, having only read it."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(_open_reader(path)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise DataUnusable(
            f"{path} is not a database of otel_kit ({error}); choose another directory with --data"
        ) from error
    if application != _APPLICATION_ID and (application or tables):
        raise DataUnusable(
            f"{path} is a database of another program; choose another directory with --data"
        )
    if version > _VERSION:
        raise DataUnusable(f"{path} was made by a newer otel_kit; update, or choose another --data")
    if tables and version < _VERSION:
        raise DataUnusable(
            f"{path} was made by an older otel_kit and is laid out otherwise; open it with that"
            " version, or remove it, or choose another --data"
        )


def _open_reader(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)


def _open_writer(path: Path, durable: bool, wal_bytes: int) -> WritingConnection:
    try:
        connection = sqlite3.connect(
            path,
            timeout=10,
            isolation_level=None,
            check_same_thread=False,
            factory=WritingConnection,
        )
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {max(wal_bytes // PAGE_BYTES, 16)}")
        connection.execute(f"PRAGMA journal_size_limit = {wal_bytes}")
        connection.execute("PRAGMA cache_size = -65536")  # KiB
        _create(connection)
    except sqlite3.Error as error:
        raise DataUnusable(f"{path} cannot be written ({error}); choose another --data") from error
    return connection


def _create(connection: sqlite3.Connection) -> None:
    """Lay out an empty file, in one transaction, so that a crash leaves all of it or nothing."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID:
        return
    schema = resources.files(__package__).joinpath("schema.sql").read_text("utf-8")
    marks = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION};"
    connection.executescript(f"BEGIN; {schema} {marks} COMMIT;")
