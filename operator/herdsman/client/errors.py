"""What can go wrong between a script and an operator, as one tree of exceptions.

ClientError              has `message` (what happened) and `hint` (what to do), both fit for a reader
├── Unreachable          nobody answers there, or not in time
├── BrokenOff            the answer, or a stream, ended in the middle
├── Strange              what answers is not Herdsman
├── Unfinished           what was waited for did not come
└── ApiError             Herdsman says no: `status`, `title`, `detail`, `problems`, `retry_after`
    ├── NotAuthenticated 401  no token, or one that is not valid there
    ├── NotAllowed       403  the role does not suffice
    ├── NotFound         404  no such thing, or none that you may know of
    ├── NotPossible      409  not as things stand, or beyond a quota
    ├── Changed          412  it is not any more what you read
    ├── Invalid          422  it does not fit; `problems` names the fields
    ├── TooMany          429  too many requests
    └── NotAvailable     502, 503, 504  something that is needed does not answer, or has no room
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from herdsman.errors import HerdsmanError

_LONGEST: Final = 2000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class ClientError(HerdsmanError):
    """What all have in common."""


class Unreachable(ClientError):
    """Nobody answers at the address, or not in time."""


class BrokenOff(ClientError):
    """The connection ended before the answer did."""


class Strange(ClientError):
    """What answers at the address is not Herdsman, or does not let through what Herdsman says."""


class Unfinished(ClientError):
    """What was waited for did not come. *last* is what there was at the end."""

    def __init__(self, message: str, *, hint: str = "", last: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.last = last


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a request."""

    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        said = f"{self.field}: {self.message}" if self.field else self.message
        return f"{said} ({self.hint})" if self.hint else said


class ApiError(ClientError):
    """An answer that is an error (RFC 9457). *retry_after* is in seconds, where the answer named it."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        hint: str = "",
        problems: Iterable[FieldProblem] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status, self.title, self.detail = status, title, detail
        self.problems = tuple(problems)
        self.retry_after = retry_after
        said = "; ".join(map(str, self.problems))
        super().__init__(": ".join(part for part in (detail or title, said) if part), hint=hint)


class NotAuthenticated(ApiError):
    """There is no token, or one that is not valid there."""


class NotAllowed(ApiError):
    """The role does not suffice."""


class NotFound(ApiError):
    """There is no such thing, or none that you may know of."""


class NotPossible(ApiError):
    """Not as things stand, or beyond a quota."""


class Changed(ApiError):
    """It was changed since you read it: read it again."""


class Invalid(ApiError):
    """The request does not fit: *problems* names the fields."""


class TooMany(ApiError):
    """Too many requests; after *retry_after* seconds they are welcome."""


class NotAvailable(ApiError):
    """Something that is needed does not answer, or has no room now."""


_TREE: Final[Mapping[int, type[ApiError]]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: NotPossible,
    412: Changed,
    422: Invalid,
    429: TooMany,
    502: NotAvailable,
    503: NotAvailable,
    504: NotAvailable,
}


def error_of(server: str, status: int, data: bytes, *, retry_after: str | None = None) -> ApiError:
    """The exception for an error answer, whatever is in its body."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    told: Mapping[str, Any] = found if isinstance(found, dict) else {}
    detail, title, hint = (plain(told.get(name)) for name in ("detail", "title", "hint"))
    listed = told.get("errors")
    return _TREE.get(status, ApiError)(
        status,
        title or f"status {status}",
        detail if detail or title else f"{server} answered {status}",
        hint=hint,
        problems=[_problem(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else (),
        retry_after=float(retry_after) if retry_after and re.fullmatch("[0-9]{1,9}", retry_after) else None,
    )


def _problem(told: Mapping[str, Any]) -> FieldProblem:
    return FieldProblem(plain(told.get("field")), plain(told.get("message")), plain(told.get("hint")))


def plain(text: object) -> str:
    """What a server said, fit for a terminal: no control characters, not endless; "" for what is no text."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text[:_LONGEST]) if isinstance(text, str) else ""
