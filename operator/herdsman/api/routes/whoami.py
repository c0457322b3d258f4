"""`/v1/whoami`: who the bearer of a token is here, and what they may."""

from fastapi import APIRouter
from pydantic import Field

from herdsman.api.auth import Caller
from herdsman.api.schemas import Schema
from herdsman.model.identity import Identity

router = APIRouter(prefix="/v1/whoami", tags=["identity"])


class WhoamiOut(Schema):
    """An identity."""

    owner: str = Field(description="what deployments belong to", examples=["ada@https://login.example.org"])
    slug: str = Field(description="the same for files and labels", examples=["ada-vnjqm4gfxq5nyt5xv2k3c2aapy"])
    subject: str
    issuer: str
    name: str = Field(examples=["Ada Lovelace"])
    email: str = Field(description="as the issuer verified it, else empty", examples=["ada@example.org"])
    admin: bool = Field(description="an administrator of everything")
    roles: dict[str, str] = Field(description="the role in each namespace; `*` is any", examples=[{"ai4eosc": "user"}])

    @classmethod
    def of(cls, who: Identity) -> "WhoamiOut":
        """The shape of *who*."""
        return cls(
            owner=who.owner,
            slug=who.slug,
            subject=who.subject,
            issuer=who.issuer,
            name=who.name,
            email=who.email,
            admin=who.admin,
            roles={namespace: role.label for namespace, role in sorted(who.grants.items())},
        )


@router.get("", responses={401: {"description": "no token, or one that is not valid here"}})
def whoami(who: Caller) -> WhoamiOut:
    """Who you are here, and what you may."""
    return WhoamiOut.of(who)
