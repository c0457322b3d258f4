"""`/v1/stats`: usage of deployments, the summaries of accounting, and how full the cluster is.

Whose figures a caller may see is said by `scope`. What lies outside of it is as if it were not there.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError

from herdsman.api.auth import Caller
from herdsman.api.stats import ClusterOut, Statistics, SummaryOut, UsageOut
from herdsman.errors import Unavailable, UnknownError, UsageError
from herdsman.model.identity import ANYWHERE, Role
from herdsman.model.usage import DAY_MS, EVERYTHING, Granularity, Scope, UsageQuery

router = APIRouter(prefix="/v1/stats", tags=["stats"])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 30  # days, where nobody says since when


def scope(who: Caller) -> Scope:
    """Whose figures the caller may see: an administrator's are all those of the namespaces, a user's are their own."""
    if who.may(Role.VIEWER, ANYWHERE):
        return EVERYTHING
    seen = who.namespaces(Role.TRY_ME)
    rules_them = all(who.may(Role.ADMIN, namespace) for namespace in seen)
    return Scope(seen, None if rules_them and seen else who.owner)


def _stats(request: Request) -> Statistics:
    stats: Statistics = request.app.state.stats
    return stats


class Part(StrEnum):
    """What usage may be told apart by."""

    NAMESPACE = "namespace"
    OWNER = "owner"


Seen = Annotated[Scope, Depends(scope)]
Known = Annotated[Statistics, Depends(_stats)]
Namespaces = Annotated[list[str] | None, Query(description="only these; may be given several times")]
Owner = Annotated[str | None, Query(description="only this one's; empty for what is nobody's")]


@router.get("/usage")
def usage(
    stats: Known,
    seen: Seen,
    since: Annotated[datetime | None, Query(description="30 days ago, by default; in UTC, unless it says")] = None,
    until: Annotated[datetime | None, Query(description="now, by default and at most")] = None,
    granularity: Granularity = Granularity.DAY,
    namespace: Namespaces = None,
    owner: Owner = None,
    by: Annotated[list[Part] | None, Query(description="what is told apart; by default both")] = None,
) -> UsageOut:
    """CPU, GPU, memory and disk over time, from when Nomad placed each allocation until its last task ended."""
    now = stats.now()
    end = now if until is None else min(now, _milliseconds(until))
    begin = end - end % DAY_MS - _SHOWN * DAY_MS if since is None else _milliseconds(since)
    query = UsageQuery(
        since=max(0, begin),
        until=end,
        granularity=granularity,
        scope=narrowed(seen, namespace, owner),
        by_owner=by is None or Part.OWNER in by,
        by_namespace=by is None or Part.NAMESPACE in by,
    )
    try:
        return UsageOut.of(stats.usage(query))
    except UsageError as error:
        told = {"loc": ("query", "since"), "msg": str(error), "type": "value_error"}
        raise RequestValidationError([told]) from None


@router.get("/deployments")
def deployments(
    stats: Known,
    seen: Seen,
    namespace: Annotated[str, Query(description="may be left out by who has one alone")] = "",
    owner: Owner = None,
) -> SummaryOut:
    """The summaries of a namespace, and the caller's own part; who sees all owners may name one."""
    wanted = _the_namespace(seen, namespace)
    found = stats.summary(wanted) if narrowed(seen, [wanted], None).namespaces else None
    if found is None:
        raise UnknownError(f"nothing is known of the namespace {wanted}", hint="see /v1/stats/usage for those that are")
    return SummaryOut.of(found, owner=owner if seen.owner is None else seen.owner)


@router.get("/cluster")
def cluster(stats: Known, seen: Seen, namespace: Namespaces = None) -> ClusterOut:
    """Every node with what it has and what is held of it. Jobs and namespaces as far as the caller may see them."""
    found = stats.occupation()
    if found is None:
        raise Unavailable("the nodes of the cluster were not listed yet", hint="wait a minute; see the operator's log")
    return ClusterOut.of(found, narrowed(seen, namespace, None))


def narrowed(seen: Scope, namespaces: list[str] | None, owner: str | None) -> Scope:
    """What of *seen* is asked for; never more."""
    names = frozenset(namespaces) if namespaces else None
    if names is None or seen.namespaces is None:
        names = seen.namespaces if names is None else names
    else:
        names &= seen.namespaces
    if seen.owner is not None and owner not in (None, seen.owner):
        return Scope(frozenset(), seen.owner)
    return Scope(names, owner if seen.owner is None else seen.owner)


def _the_namespace(seen: Scope, namespace: str) -> str:
    if namespace:
        return namespace
    if seen.namespaces is not None and len(seen.namespaces) == 1:
        return next(iter(seen.namespaces))
    told = {"loc": ("query", "namespace"), "msg": "say which namespace: there are several", "type": "missing"}
    raise RequestValidationError([told])


def _milliseconds(at: datetime) -> int:
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)
