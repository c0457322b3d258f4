"""`/v1/specs`: all specs, and one whole."""

from typing import Annotated

from fastapi import APIRouter, Query

from herdsman.api.deps import Op
from herdsman.api.schemas import DescriptionOut, RejectionOut, SpecOut, SpecsOut
from herdsman.model.keys import Key, Kind
from herdsman.usecases import Filter

router = APIRouter(prefix="/v1/specs", tags=["specs"])


@router.get("")
def list_specs(
    operator: Op,
    kind: Kind | None = None,
    namespace: str = "",
    name: Annotated[str, Query(description="a name, or a glob")] = "",
    ready: bool | None = None,
) -> SpecsOut:
    """All specs that match, and what of the source could not be used."""
    overview = operator.overview()
    found = operator.statuses(Filter(kind, namespace, name, ready))
    return SpecsOut(
        fleet=overview.fleet,
        revision=overview.revision,
        specs=[SpecOut.of_status(s) for s in found],
        rejections=[RejectionOut.of(r) for r in overview.rejections],
    )


@router.get("/{kind}/{namespace}/{name:path}")
def describe_spec(operator: Op, kind: Kind, namespace: str, name: str) -> DescriptionOut:
    """One spec whole; the namespace of a `Namespace` is `-`."""
    return DescriptionOut.of(operator.describe(Key(kind, "" if kind is Kind.NAMESPACE else namespace, name)))
