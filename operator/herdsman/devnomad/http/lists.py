"""Lists: filtered, in order, a page at a time; and queries that wait for something to change."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from herdsman.devnomad.errors import BadRequest, NotFound, Refused
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.ids import prefix_fault
from herdsman.devnomad.structs.filters import FilterError, compile_filter
from herdsman.devnomad.types import Row


# -- order ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: the token of each row (a page begins with one), and what tokens are compared by."""

    token: Callable[[Row], str]
    place: Callable[[str], Any] = str


def _scoped(token: str) -> tuple[str, ...]:
    """`namespace.name`, as its two parts: a namespace has no dot."""
    return tuple(token.split(".", 1))


def _numbered(token: str) -> tuple[int, str]:
    """`17.<id>`, by its number first."""
    number, _, rest = token.partition(".")
    return int(number) if number.isdigit() else 0, rest


by_id: Final = Order(lambda row: str(row["ID"]))
by_name: Final = Order(lambda row: str(row["Name"]))
by_job: Final = Order(lambda row: f"{row['Namespace']}.{row['ID']}", _scoped)
by_path: Final = Order(lambda row: f"{row['Namespace']}.{row['Path']}", _scoped)
by_creation: Final = Order(lambda row: f"{row['CreateIndex']}.{row['ID']}", _numbered)
by_token: Final = Order(lambda row: f"{row['CreateIndex']}.{row['AccessorID']}", _numbered)
by_change: Final = Order(lambda row: f"{row['ModifyIndex']}.{row['Namespace']}.{row['ID']}", _numbered)


def order_of(call: Call) -> Order:
    """The order of what is listed by age: by ID where a prefix is asked for."""
    return by_id if call.prefix else by_creation


def in_order(call: Call, rows: Iterable[Row], kind: str) -> list[Row]:
    """Rows (of this kind) in the order that `order_of` says, backwards where that is asked for."""
    prefix = call.prefix
    if fault := prefix_fault(prefix):
        raise Refused(f"{kind} lookup failed: {fault}")
    chosen = [row for row in rows if row["ID"].startswith(prefix)] if prefix else list(rows)
    chosen.sort(key=(lambda row: row["ID"]) if prefix else (lambda row: (row["CreateIndex"], row["ID"])))
    return chosen[::-1] if call.backwards else chosen


# -- waiting -------------------------------------------------------------------------------------------------------
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


def found(reply: Reply, text: str) -> Reply:
    """The answer, where it holds anything."""
    if isinstance(reply, Value) and reply.value is None:
        raise NotFound(text)
    return reply


# -- pages ---------------------------------------------------------------------------------------------------------
def page(
    call: Call,
    rows: Iterable[Row],
    *,
    index: int,
    order: Order,
    show: Callable[[Row], Any],
    descending: bool = False,
) -> Value:
    """The rows that the caller's filter lets through, from its token on, as many as it wants.

    The rows come in `order`, or in its reverse where `descending` says so.
    """
    kept = _filtered(call, rows)
    size = call.per_page
    start = call.param("next_token")
    if start:
        kept = _from(kept, start, order, descending=descending)
    if not size:
        return Value([show(row) for row in kept], index)
    size = max(size, 0)  # a page of less than nothing is empty, and the next one begins where it did
    chosen = list(islice(kept, size + 1))
    following = order.token(chosen[size]) if len(chosen) > size else ""
    return Value([show(row) for row in chosen[:size]], index, following)


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


def _from(rows: Iterator[Row], start: str, order: Order, *, descending: bool) -> Iterator[Row]:
    first = order.place(start)
    if descending:
        return (row for row in rows if order.place(order.token(row)) <= first)
    return (row for row in rows if order.place(order.token(row)) >= first)
