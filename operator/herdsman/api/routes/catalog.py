"""`/v1/catalog`: what there is to deploy. Anybody may read it where a setting says so; else whoever has a role."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from herdsman.api.auth import Caller, Visitor, caller, require, require_admin
from herdsman.api.platform import Desk, MetadataOut, RefreshedOut, answer, namespace_for, problems
from herdsman.model.identity import Role
from herdsman.platform import Platform
from herdsman.platform.catalog import Tags, told_metadata
from herdsman.platform.pages import Section

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


def reader(request: Request, who: Visitor) -> None:
    """Refuse who may not read the catalog."""
    platform: Platform | None = getattr(request.app.state, "platform", None)
    if platform is None or not platform.config.public_catalog:
        known = caller(who)
        if known.highest() is None:
            require(known, Role.VIEWER, "default")


def _tags(
    all_: Annotated[list[str] | None, Query(alias="tags", description="only entries with all of these")] = None,
    any_: Annotated[list[str] | None, Query(alias="tags-any", description="… with one of these at least")] = None,
    not_all: Annotated[list[str] | None, Query(alias="not-tags", description="… without all of these together")] = None,
    not_any: Annotated[list[str] | None, Query(alias="not-tags-any", description="… without any of these")] = None,
) -> Tags:
    return Tags(*(tuple(tags or ()) for tags in (all_, any_, not_all, not_any)))


Meant = Annotated[Tags, Depends(_tags)]
_OF_ONE: dict[int | str, dict[str, Any]] = problems(401, 403, 404, 422)
_OF_MANY: dict[int | str, dict[str, Any]] = problems(401, 403, 422)


@router.get("/{section}", dependencies=[Depends(reader)], responses=_OF_MANY)
def names(desk: Desk, section: Section, tags: Meant) -> list[str]:
    """The names of all entries that match."""
    return [entry.name for entry in desk.catalog.entries(section, tags)]


@router.get(
    "/{section}/detail", dependencies=[Depends(reader)], responses={200: {"model": list[MetadataOut]}, **_OF_MANY}
)
def details(desk: Desk, section: Section, tags: Meant) -> Response:
    """The same with what they are, but for long descriptions."""
    return answer([told_metadata(entry, whole=False) for entry in desk.catalog.entries(section, tags)])


@router.get("/{section}/tags", dependencies=[Depends(reader)], responses=_OF_MANY)
def tags(desk: Desk, section: Section) -> dict[str, int]:
    """All tags, and how many entries have each."""
    return desk.catalog.tags(section)


@router.post("/refresh", responses=problems(401, 403))
def refresh(who: Caller, desk: Desk) -> RefreshedOut:
    """Read the catalog anew, wherever it comes from, without waiting until it is old."""
    require_admin(who)
    found = desk.catalog.refresh()
    broken = {name: [str(r) for r in rejections] for name, rejections in sorted(found.broken.items())}
    return RefreshedOut(entries=len(found.entries), broken=broken, problem=found.problem)


@router.get("/{section}/{name}", dependencies=[Depends(reader)], responses={200: {"model": MetadataOut}, **_OF_ONE})
@router.get(
    "/{section}/{name}/metadata", dependencies=[Depends(reader)], responses={200: {"model": MetadataOut}, **_OF_ONE}
)
def metadata(desk: Desk, section: Section, name: str) -> Response:
    """All that is said of one entry."""
    return answer(told_metadata(desk.catalog.entry(section, name), whole=True))


@router.get("/{section}/{name}/config", dependencies=[Depends(reader)], responses=_OF_ONE)
def config(
    desk: Desk,
    who: Visitor,
    section: Section,
    name: str,
    vo: Annotated[str, Query(description="whose limits hold; yours, where you have one")] = "",
) -> dict[str, dict[str, dict[str, Any]]]:
    """What a user may set: group, parameter, and its default, options and range in that namespace."""
    return desk.catalog.parameters(section, name, _namespace(desk, who, vo))


@router.get("/{section}/{name}/schema", dependencies=[Depends(reader)], responses=_OF_ONE)
def schema(desk: Desk, who: Visitor, section: Section, name: str, vo: str = "") -> dict[str, Any]:
    """The same as a JSON Schema, for forms and editors."""
    return desk.catalog.schema(section, name, _namespace(desk, who, vo))


def _namespace(desk: Desk, who: Visitor, vo: str) -> str:
    """The namespace whose limits are shown: they are no secret, so any may be asked about."""
    if vo:
        return desk.config.namespace(vo)
    held = who.namespaces() if who is not None else frozenset()
    return namespace_for(desk, who, Role.VIEWER, None) if who is not None and len(held) == 1 else ""
