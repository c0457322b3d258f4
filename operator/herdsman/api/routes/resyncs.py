"""`/v1/resync`: look again now, and ask whether that was done."""

from fastapi import APIRouter

from herdsman.api.deps import Op
from herdsman.api.schemas import ResyncIn, ResyncOut

router = APIRouter(prefix="/v1/resync", tags=["resync"])


@router.post("", status_code=202)
def resync(operator: Op, body: ResyncIn | None = None) -> ResyncOut:
    """Look again at some specs, or at all of them."""
    asked = body or ResyncIn()
    keys = None if asked.keys is None else [k.key() for k in asked.keys]
    return ResyncOut.of(operator.resync(keys, with_source=asked.with_source))


@router.get("/{number}")
def progress(operator: Op, number: int) -> ResyncOut:
    """How far a request got."""
    return ResyncOut.of(operator.request(number))
