"""Lists: filtered, in order, a page at a time; and queries that wait for something to change."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import Any

from herdsman.devnomad.errors import BadRequest
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.structs.filters import FilterError, compile_filter
from herdsman.devnomad.types import Row


async def blocking(call: Call, read: Callable[[], Value], *keys: Hashable) -> Reply:
    """Answer; where the caller waits for an index beyond one, not before there is one or its time is up."""
    minimum = call.min_index
    answer = read()
    if not minimum:
        return answer
    wait = call.wait
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    watches = call.agent.store.watches
    while (answer.index or 0) <= minimum and not watches.closed:
        left = end - loop.time()
        if left <= 0 or not await watches.wait(keys, timeout=left):
            break
        answer = read()
    return answer


def page(
    call: Call, rows: Iterable[Row], *, index: int, token: Callable[[Row], str], show: Callable[[Row], Any]
) -> Value:
    """The rows that the caller's filter lets through, from its token on, as many as it wants."""
    kept = _filtered(call, rows)
    size = _page_size(call)
    start = call.param("next_token")
    if start:
        kept = _from(kept, start, token, reverse=call.flag("reverse"))
    if not size:
        return Value([show(row) for row in kept], index)
    chosen = list(islice(kept, size + 1))
    following = token(chosen[size]) if len(chosen) > size else ""
    return Value([show(row) for row in chosen[:size]], index, following)


def _page_size(call: Call) -> int:
    text = call.param("per_page")
    if not text:
        return 0
    if not text.isdigit():
        raise BadRequest("Expect a number for `per_page` query string parameter")
    return int(text)


def _filtered(call: Call, rows: Iterable[Row]) -> Iterator[Row]:
    text = call.param("filter")
    if not text:
        return iter(rows)
    try:
        wanted = compile_filter(text)
    except FilterError as error:
        raise BadRequest(f"failed to create result paginator: {error}") from error
    return _matching(rows, wanted)


def _matching(rows: Iterable[Row], wanted: Callable[[object], bool]) -> Iterator[Row]:
    for row in rows:
        try:
            matches = wanted(row)
        except FilterError as error:
            raise BadRequest(f"failed to read result page: {error}") from error
        if matches:
            yield row


def _from(rows: Iterator[Row], start: str, token: Callable[[Row], str], *, reverse: bool) -> Iterator[Row]:
    wanted = _comparable(start)
    if reverse:
        return (row for row in rows if _comparable(token(row)) <= wanted)
    return (row for row in rows if _comparable(token(row)) >= wanted)


def _comparable(token: str) -> tuple[int, str]:
    """Tokens like `17.<id>` are in the order of their number."""
    head, dot, tail = token.partition(".")
    return (int(head), tail) if dot and head.isdigit() else (0, token)


def by_creation(row: Row) -> str:
    """The token of what is listed in the order it came."""
    return f"{row['CreateIndex']}.{row['ID']}"


def in_order(call: Call, rows: Iterable[Row]) -> list[Row]:
    """Rows by age (or by ID, where a prefix is asked for), backwards where that is asked for."""
    prefix = call.prefix
    found = [row for row in rows if row["ID"].startswith(prefix)] if prefix else list(rows)
    found.sort(key=(lambda row: row["ID"]) if prefix else (lambda row: (row["CreateIndex"], row["ID"])))
    return found[::-1] if call.flag("reverse") else found


def token_of(call: Call) -> Callable[[Row], str]:
    """The token of lists made by `in_order`."""
    return (lambda row: str(row["ID"])) if call.prefix else by_creation
