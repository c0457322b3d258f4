"""The summaries that accounting tools share, in a folder: `ports.Summaries` over `csv`.

Three tables of each namespace, with `;` between columns: `<namespace>-full-agg.csv` (one row: all that was used, in
resource-days), `<namespace>-timeseries.csv` (a row for each day: what was held on the average) and
`<namespace>-users-agg.csv` (a row for each owner, in resource-days). Others may write them with columns of their own:
all but `date` and `owner` hold whole numbers, and are passed on under their names.
"""

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

from herdsman.errors import StoreError
from herdsman.model.usage import Column, Summary

ROWS = 90
"""Rows of a time series that are passed on where none of its days is recent enough."""

_NAMESPACE = re.compile(r"[a-zA-Z0-9-]{1,128}")  # as Nomad allows it: never a way out of the folder
_TEXT = frozenset({"date", "owner"})

_Row = Mapping[str, int | str]


class SummaryFolder:
    """The folder *root* with its subfolder `summaries`, as `ACCOUNTING_PTH` names it."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "summaries"

    def read(self, namespace: str, *, since: date) -> Summary | None:
        """See `ports.Summaries`, as for the other."""
        if not _NAMESPACE.fullmatch(namespace):
            return None
        full, series = self._table(namespace, "full-agg"), self._table(namespace, "timeseries")
        if full is None and series is None:
            return None
        recent = [row for row in series or () if str(row.get("date", "")) >= since.isoformat()]
        users = self._table(namespace, "users-agg") or []
        return Summary(
            full=_numbers(full[0]) if full else {},
            timeseries=_columns(recent or (series or [])[-ROWS:]),
            users={str(row["owner"]): _numbers(row) for row in users if "owner" in row},
        )

    def write(self, namespace: str, summary: Summary) -> None:
        """Replace each table as a whole: who reads at that moment sees the old one or the new one."""
        series = [
            dict(zip(summary.timeseries, row, strict=True)) for row in zip(*summary.timeseries.values(), strict=True)
        ]
        users: list[_Row] = [{"owner": owner, **used} for owner, used in summary.users.items()]
        self._replace(self._path(namespace, "timeseries"), _text(summary.timeseries, series))
        self._replace(self._path(namespace, "full-agg"), _text(summary.full, [summary.full]))
        self._replace(self._path(namespace, "users-agg"), _text(["owner", *summary.full], users))

    # -- one file --

    def _path(self, namespace: str, table: str) -> Path:
        if not _NAMESPACE.fullmatch(namespace):
            raise StoreError(
                f"{namespace!r} cannot stand in the name of a file", hint="letters, digits and - make a namespace"
            )
        return self._folder / f"{namespace}-{table}.csv"

    def _table(self, namespace: str, table: str) -> list[_Row] | None:
        path = self._path(namespace, table)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, delimiter=";", strict=True)
                return [_row(row, f"{path} line {reader.line_num}") for row in reader]
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise StoreError(f"the summary {path} cannot be read: {error}", hint="see the accounting folder") from None

    def _replace(self, path: Path, text: str) -> None:
        data = text.encode()
        try:
            if path.exists() and path.read_bytes() == data:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(path, data)
        except OSError as error:
            raise StoreError(
                f"the summary {path} cannot be written: {error}", hint="see the accounting folder and its permissions"
            ) from None


def _put(path: Path, data: bytes) -> None:
    """Write beside it, then take its place."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        draft.chmod(0o644)  # for whoever else reads the folder
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _text(columns: Iterable[str], rows: Sequence[_Row]) -> str:
    bare_return = any("\r" in str(value) for row in rows for value in row.values())  # csv takes it for harmless
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if bare_return else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(text, list(columns), delimiter=";", lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(row: dict[str | None, str | None], place: str) -> _Row:
    """One row; where it is too long or too short, or has no number for one, that is said with its place."""
    found: dict[str, int | str] = {}
    for column, value in row.items():
        if column is None or value is None:
            raise StoreError(f"{place} has another number of columns than the first line", hint="; lies between two")
        try:
            found[column] = value if column in _TEXT else int(value)
        except ValueError:
            raise StoreError(
                f"{place}: {column} is {value!r}, not a whole number", hint="only date and owner are text"
            ) from None
    return found


def _numbers(row: _Row) -> dict[str, int]:
    return {column: value for column, value in row.items() if isinstance(value, int)}


def _columns(rows: Sequence[_Row]) -> dict[str, Column]:
    return {column: [row[column] for row in rows] for column in (rows[0] if rows else {})}
