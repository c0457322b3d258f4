"""A table: rows by key, in key order when asked for, with secondary indexes and the index of its last write."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeAlias

from herdsman.devnomad.types import Row

Key: TypeAlias = Any
IndexOf: TypeAlias = Callable[[Row], Hashable]
_NO_ROWS: dict[Key, None] = {}
_UNLISTED = (None, "")
"""Rows with such a value are not found by it: nobody asks for them."""


class Table:
    """Rows by key. Rows are replaced, never changed in place."""

    def __init__(self, name: str, *, indexes: Mapping[str, IndexOf] | None = None) -> None:
        self.name = name
        self.index = 0
        self._rows: dict[Key, Row] = {}
        self._index_of = dict(indexes or {})
        self._indexes: dict[str, dict[Hashable, dict[Key, None]]] = {name: {} for name in self._index_of}
        self._order: list[Key] | None = []

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def get(self, key: Key) -> Row | None:
        """The row of this key, or none."""
        return self._rows.get(key)

    def items(self) -> Iterator[tuple[Key, Row]]:
        """Keys and rows, in the order they came."""
        return iter(self._rows.items())

    def ordered(self) -> Iterator[Row]:
        """All rows by key."""
        if self._order is None:
            self._order = sorted(self._rows)
        rows = self._rows
        return (rows[key] for key in self._order)

    def find(self, index: str, value: Hashable) -> list[Row]:
        """The rows with this value in a secondary index, oldest first."""
        rows = self._rows
        return [rows[key] for key in self._indexes[index].get(value, _NO_ROWS)]

    def each(self, index: str, value: Hashable) -> Iterator[Row]:
        """The same, one by one, for those who need not see them all."""
        rows = self._rows
        return (rows[key] for key in self._indexes[index].get(value, _NO_ROWS))

    def count(self, index: str, value: Hashable) -> int:
        """How many rows have this value in a secondary index."""
        return len(self._indexes[index].get(value, _NO_ROWS))

    def put(self, key: Key, row: Row | None) -> Row | None:
        """Set or (with none) remove the row of a key; answers the row that was there."""
        old = self._rows.get(key)
        for name, index_of in self._index_of.items():
            was = index_of(old) if old is not None else None
            now = index_of(row) if row is not None else None
            if was != now:
                self._reindex(self._indexes[name], key, old=was, new=now)
        if row is None:
            if old is not None:
                del self._rows[key]
                self._order = None
        else:
            if old is None:
                self._append_to_order(key)
            self._rows[key] = row
        return old

    def _append_to_order(self, key: Key) -> None:
        if self._order is not None:
            if self._order and key < self._order[-1]:
                self._order = None
            else:
                self._order.append(key)

    @staticmethod
    def _reindex(entries: dict[Hashable, dict[Key, None]], key: Key, *, old: Hashable, new: Hashable) -> None:
        if old not in _UNLISTED:
            entries[old].pop(key, None)
            if not entries[old]:
                del entries[old]
        if new not in _UNLISTED:
            entries.setdefault(new, {})[key] = None
