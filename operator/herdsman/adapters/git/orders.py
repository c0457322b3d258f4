"""A request on its way: what waits for an answer, and the words for one that gets none."""

from dataclasses import dataclass
from typing import Final

from herdsman.errors import Forbidden, HerdsmanError, Unavailable
from herdsman.model.writes import WriteRequest, Written

NOTHING_CHANGED: Final = "nothing was changed"


@dataclass(slots=True, eq=False)
class Order:
    """A request that waits for its answer. *kept* is its name in the outbox; *asked* says that a caller waits.

    *sent* says that a push broke off which had it.
    """

    request: WriteRequest
    at: int
    kept: str = ""
    asked: bool = True
    sent: bool = False
    written: Written | None = None
    error: HerdsmanError | None = None

    @property
    def open(self) -> bool:
        """Whether there is no answer yet."""
        return self.written is None and self.error is None


@dataclass(frozen=True, slots=True)
class Options:
    """*path* is the directory of the specs. *keep* is whether requests wait here while the remote is away.

    With *pull_requests* each request goes to a branch of its own.
    """

    path: str = ""
    keep: bool = False
    pull_requests: bool = False


def pull_branch(order: Order) -> str:
    return f"herdsman/{order.request.request_id}"


def excuse(error: HerdsmanError, *, forbidden: bool, unsure: bool) -> HerdsmanError:
    """For a caller whose request was not carried out, or nobody knows."""
    if unsure:
        return Unavailable(
            f"{error.message}; whether the write arrived is not known",
            hint="repeat it with the same request ID: it is never carried out twice",
        )
    told = error.message if NOTHING_CHANGED in error.message else f"{error.message}; {NOTHING_CHANGED}"
    return Forbidden(told, hint=error.hint) if forbidden else Unavailable(told, hint=error.hint or "try again")
