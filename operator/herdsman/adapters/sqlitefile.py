"""One SQLite file in WAL mode that outlives the process: opened, brought to the newest version, or put aside.

A file that is no database is not mourned: it is moved out of the way, whole, and another is begun. One that a newer
Herdsman wrote is not touched.
"""

import itertools
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from herdsman.errors import StoreError


class SqliteFile(ABC):
    """The file at *path*; with `:memory:` nothing outlives the process. Safe from any thread."""

    WHAT: ClassVar[str]
    """What a person calls it: `state file`."""
    SCHEMA: ClassVar[str]
    VERSION: ClassVar[int]
    MIGRATIONS: ClassVar[Mapping[int, str]] = {}
    """From each version of the file to the next."""
    IF_NEWER: ClassVar[str]
    """What to do about a file that a newer Herdsman wrote."""

    def __init__(self, path: Path | str) -> None:
        """Raises `StoreError`."""
        self._lock = threading.RLock()
        self._path = path
        self.put_aside = ""  # where an unreadable file went
        try:
            self._begin()
        except StoreError as error:
            broken = isinstance(error.__cause__, sqlite3.DatabaseError)
            if not broken or isinstance(error.__cause__, sqlite3.OperationalError) or not Path(self._path).exists():
                raise
            self._db.close()
            self._move_aside()
            self._begin()

    @abstractmethod
    def _load(self) -> None:
        """Read into memory what is kept there."""

    def _begin(self) -> None:
        self._db = self._connect()
        self._load()

    def _move_aside(self) -> None:
        names = (f"{self._path}.unreadable{'' if n == 1 else f'-{n}'}" for n in itertools.count(1))
        aside = next(path for name in names if not (path := Path(name)).exists())
        Path(self._path).replace(aside)
        for rest in ("-wal", "-shm"):
            Path(f"{self._path}{rest}").unlink(missing_ok=True)
        self.put_aside = str(aside)

    def _connect(self) -> sqlite3.Connection:
        try:
            db = self._db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=5)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(f"BEGIN; {self.SCHEMA} PRAGMA user_version={self.VERSION}; COMMIT;")
            for old in range(version, self.VERSION) if version else ():
                db.executescript(f"BEGIN; {self.MIGRATIONS[old]} PRAGMA user_version={old + 1}; COMMIT;")
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"the {self.WHAT} {self._path} cannot be opened: {error}", hint="check --state and its permissions"
            ) from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"the {self.WHAT} {self._path} is no database") from error
        if version > self.VERSION:
            db.close()
            raise StoreError(f"the {self.WHAT} {self._path} was written by a newer Herdsman", hint=self.IF_NEWER)
        return db

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The database, for one thread at a time. Raises `StoreError`."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise StoreError(
                    f"the {self.WHAT} {self._path} cannot be used: {error}", hint="is the disk full?"
                ) from error

    def _all(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        with self._using() as db:
            return db.execute(sql, values).fetchall()

    def _one(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> Any:
        with self._using() as db:
            return db.execute(sql, values).fetchone()
