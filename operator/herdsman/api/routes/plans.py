"""`/v1/plan`: what would be done now."""

from fastapi import APIRouter

from herdsman.api.deps import Op
from herdsman.api.schemas import PlanOut
from herdsman.model.keys import Key, Kind
from herdsman.usecases import Filter

router = APIRouter(prefix="/v1/plan", tags=["plan"])


@router.get("")
def plan(operator: Op, kind: Kind | None = None, namespace: str = "", name: str = "") -> list[PlanOut]:
    """The plan for every spec that matches, carried out by nobody."""
    chosen: list[Key] | None = None
    if kind is not None or namespace or name:
        wanted = Filter(kind, namespace, name)
        chosen = [s.key for s in operator.statuses(wanted)]
    return [PlanOut.of_plan(p) for p in operator.plan(chosen)]
