"""What pages show, decided before a template lays it out: badges, filters, pages, addresses. Values to values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Self, TypeVar
from urllib.parse import quote, urlencode

from herdsman.errors import UnknownError
from herdsman.model.keys import Key, Kind
from herdsman.model.plans import Reason
from herdsman.model.statuses import Condition, ConditionType, Event, Severity, Status, Truth
from herdsman.usecases import is_held, is_suspended

_T = TypeVar("_T")

PAGE_SIZE = 200


# -- addresses --


def spec_path(key: Key) -> str:
    """The part of an address that names *key*; the namespace of a `Namespace` is `-`."""
    parts = (key.kind.value, key.namespace or "-", key.name)
    return "/".join(quote(part, safe="/") for part in parts)


def spec_key(kind: str, namespace: str, name: str) -> Key:
    """The key that the parts of an address name. Raises `UnknownError` where there is no such kind."""
    found = next((k for k in Kind if k == kind), None)
    if found is None:
        raise UnknownError(f"there is no kind {kind}", hint=f"there are {' and '.join(Kind)}")
    return Key(found, "" if found is Kind.NAMESPACE else namespace, name)


# -- badges --


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word, a sign and a tone (the CSS class that colours it): never by colour alone."""

    word: str
    sign: str
    tone: str


_SUSPENDED = Badge("Suspended", "‖", "calm")
_READY = Badge("Ready", "✓", "good")
_HELD = Badge("Held", "!", "held")
_GOING_ON = Badge("In progress", "…", "busy")
_UNKNOWN = Badge("Unknown", "?", "busy")
_NOT_READY = Badge("Not ready", "✕", "bad")
_UNDECLARED = Badge("Undeclared", "–", "calm")
_UNSEEN = Badge("Not looked at", "?", "busy")


def badge(status: Status) -> Badge:
    """How a spec does, at a glance: what a person asked for first, then what waits for one, then the rest."""
    ready = status.condition(ConditionType.READY)
    if ready is None:
        return _UNSEEN
    if is_suspended(status):
        return _SUSPENDED
    if ready.status is Truth.TRUE:
        return _READY
    if is_held(status):
        return _HELD
    if ready.status is Truth.UNKNOWN:
        return _GOING_ON if ready.reason in (Reason.PROGRESSING, Reason.PENDING) else _UNKNOWN
    return _NOT_READY if status.wanted else _UNDECLARED


def truth_badge(kind: ConditionType, condition: Condition) -> Badge:
    """The value of one condition. True is good news for some types and bad for others."""
    true = condition.status is Truth.TRUE
    if condition.status is Truth.UNKNOWN:
        tone = "busy"
    elif kind is ConditionType.SUSPENDED:
        tone = "calm"
    elif kind is ConditionType.STALLED:
        tone = "bad" if true else "calm"
    else:
        tone = "good" if true else "bad"
    return _toned(condition.status, tone)


def deployment_badge(state: str) -> Badge:
    """The state of a deployment, in Nomad's word."""
    return _toned(state, {"successful": "good", "failed": "bad", "cancelled": "calm"}.get(state, "busy"))


def allocation_badge(client: str) -> Badge:
    """The state of an allocation, in Nomad's word."""
    return _toned(client, {"running": "good", "complete": "calm", "failed": "bad", "lost": "bad"}.get(client, "busy"))


def severity_badge(severity: Severity) -> Badge:
    """How loud an event is."""
    return _toned(severity, "held" if severity is Severity.WARNING else "calm")


def _toned(word: str, tone: str) -> Badge:
    signs = {"good": "✓", "bad": "✕", "held": "!", "calm": "–", "busy": "…"}
    return Badge(word, signs[tone], tone)


# -- what a reader wants to see --


class State(StrEnum):
    """Which specs the list shows."""

    ALL = ""
    READY = "ready"
    NOT_READY = "not-ready"
    HELD = "held"
    SUSPENDED = "suspended"


_IN_STATE = {
    State.ALL: lambda status: True,
    State.READY: lambda status: status.ready,
    State.NOT_READY: lambda status: not status.ready,
    State.HELD: is_held,
    State.SUSPENDED: is_suspended,
}


@dataclass(frozen=True, slots=True)
class SpecChoice:
    """What of the fleet is asked for: the query of `/`. What makes no sense in it counts as not said."""

    text: str = ""
    state: State = State.ALL
    namespace: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """The choice that *query* asks for."""
        return cls(
            text=query.get("q", "").strip(),
            state=next((s for s in State if s == query.get("state")), State.ALL),
            namespace=query.get("namespace", ""),
            page=_number(query.get("page", "")),
        )

    def on(self, page: int) -> str:
        """The query of the same choice on another page."""
        return _query(q=self.text, state=self.state, namespace=self.namespace, page=page)

    def pick(self, statuses: Sequence[Status]) -> Sequence[Status]:
        """Those of *statuses* that are asked for."""
        in_state, text = _IN_STATE[self.state], self.text.casefold()
        return [
            s
            for s in statuses
            if (not self.namespace or s.key.namespace == self.namespace)
            and in_state(s)
            and (not text or text in _words_of(s))
        ]


def _words_of(status: Status) -> str:
    ready, key = status.condition(ConditionType.READY), status.key
    said = f"{ready.reason}\n{ready.message}" if ready is not None else ""
    return f"{key.kind}/{key.namespace}/{key.name}\n{status.position.path}\n{said}".casefold()


@dataclass(frozen=True, slots=True)
class EventChoice:
    """What of the event log is asked for: the query of `/events`."""

    text: str = ""
    warnings: bool = False
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """The choice that *query* asks for."""
        return cls(query.get("q", "").strip(), bool(query.get("warnings")), _number(query.get("page", "")))

    def on(self, page: int) -> str:
        """The query of the same choice on another page."""
        return _query(q=self.text, warnings="1" if self.warnings else "", page=page)

    def pick(self, events: Sequence[Event]) -> Sequence[Event]:
        """Those of *events* that are asked for."""
        text = self.text.casefold()
        return [
            e
            for e in events
            if (not self.warnings or e.severity is Severity.WARNING)
            and (not text or text in f"{e.key or ''}\n{e.reason}\n{e.message}".casefold())
        ]


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _query(*, page: int, **said: str) -> str:
    pairs = {name: value for name, value in said.items() if value}
    if page > 1:
        pairs["page"] = str(page)
    return f"?{urlencode(pairs)}" if pairs else "?"


# -- pages of a list --


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page of a list of *total* items; *number* and *first* count from 1."""

    items: Sequence[_T]
    number: int
    pages: int
    total: int
    first: int

    @property
    def last(self) -> int:
        """The place of the last item in the list."""
        return self.first + len(self.items) - 1


def paged(items: Sequence[_T], number: int, *, size: int = PAGE_SIZE) -> Page[_T]:
    """Page *number* of *items*, or the nearest that there is."""
    pages = max(1, math.ceil(len(items) / size))
    number = min(max(1, number), pages)
    begin = (number - 1) * size
    return Page(items[begin : begin + size], number, pages, len(items), begin + 1)
