"""`/v1/suspend`, `/v1/resume`, `/v1/approve`: what a person says about changes."""

from fastapi import APIRouter

from herdsman.api.auth import Caller
from herdsman.api.deps import Op
from herdsman.api.schemas import KeysIn, SpecOut
from herdsman.errors import UsageError

router = APIRouter(prefix="/v1", tags=["holds"])


@router.post("/suspend", status_code=202)
def suspend(operator: Op, body: KeysIn | None = None) -> list[SpecOut]:
    """Suspend some specs, or the whole fleet: nothing is compared or changed until they are resumed."""
    return _set(operator, body, suspended=True)


@router.post("/resume", status_code=202)
def resume(operator: Op, body: KeysIn | None = None) -> list[SpecOut]:
    """Resume some specs, or the whole fleet."""
    return _set(operator, body, suspended=False)


@router.post("/approve", status_code=202)
def approve(operator: Op, who: Caller, body: KeysIn) -> list[SpecOut]:
    """Let the held changes of these specs through, once."""
    if not body.keys:
        raise UsageError("approving needs keys", hint="name each spec whose change is meant")
    return [SpecOut.of_status(operator.approve(k.key(), by=who.owner)) for k in body.keys]


@router.get("/held")
def held(operator: Op) -> list[SpecOut]:
    """Every spec whose change waits for approval."""
    return [SpecOut.of_status(s) for s in operator.held()]


def _set(operator: Op, body: KeysIn | None, *, suspended: bool) -> list[SpecOut]:
    keys = [k.key() for k in body.keys] if body is not None and body.keys else None
    if keys is None:
        operator.suspend(None, suspended=suspended)
        return []
    for key in keys:
        operator.suspend(key, suspended=suspended)
    return [SpecOut.of_status(s) for s in operator.statuses() if s.key in keys]
