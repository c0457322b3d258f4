"""Lists in pages: which deployments are meant, in which order, and where the next page begins.

A cursor names the last one that was told, by what it is sorted by; so a page begins where the last one ended, though
others came and went in between.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from herdsman.platform.errors import FieldFault, Unfitting
from herdsman.platform.info import Info
from herdsman.platform.words import Word

Section = Literal["modules", "tools"]
"""Of the catalog."""

Shelf = Literal["modules", "tools", "batch"]
"""Where a deployment is found: by its entry's section, or among those that run a script to its end."""

Sort = Literal["submit_time", "-submit_time", "title", "-title", "status", "-status"]


@dataclass(frozen=True, slots=True)
class Query:
    """Which deployments are meant. *namespaces* empty is any, *words* and *entry* too; *owner* None is everybody's."""

    section: Shelf | None
    owner: str | None
    namespaces: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()
    entry: str = ""
    try_me: bool = False
    sort: Sort = "-submit_time"
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some deployments, how many there are in all, and where the rest begins; "" where there is none."""

    items: Sequence[Info]
    total: int
    next: str = ""


def sort_key(info: Info, by: str) -> tuple[Any, str, str]:
    key = info.order.key
    match by:
        case "title":
            return (info.order.title.casefold(), key.name, key.namespace)
        case "status":
            return (info.verdict.word.value, key.name, key.namespace)
        case _:
            return (info.submitted, key.name, key.namespace)


def cursor_of(key: tuple[Any, str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def after(infos: Sequence[Info], cursor: str, by: str, back: bool) -> int:
    """Where the page behind *cursor* begins, though what it named may be gone."""
    bad = Unfitting(
        "the cursor is none of this list", faults=[FieldFault("cursor", "take it from the answer before, as it is")]
    )
    try:
        value, name, namespace = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        last = (value, str(name), str(namespace))
        kinds = isinstance(value, int | float) if by == "submit_time" else isinstance(value, str)
    except (ValueError, TypeError):
        raise bad from None
    if not kinds:
        raise bad
    return sum(1 for i in infos if (sort_key(i, by) >= last if back else sort_key(i, by) <= last))
