"""What of the platform can be set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from herdsman.model.catalog import Limits

FOLDER: Final = "deployments"
"""Where the specs of deployments are written: `deployments/<namespace>/<id>.yaml`."""

TRY_ME: Final = "herdsman/try-me"
"""The label of what was deployed to be tried."""

REQUEST: Final = "herdsman/request"
"""The label that names the request by which a deployment was ordered: a digest of it, and of what it asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryMeConfig:
    """How modules are tried: in which *namespace*, by whom, how many, for how many seconds.

    With *anonymous*, nobody needs a token: the owner is then the address that asks, and *starts* a minute are admitted
    of each. *most* are the deployments that may be there at once.
    """

    enabled: bool = True
    namespace: str = "default"
    anonymous: bool = False
    per_owner: int = 3
    most: int = 20
    seconds: float = 600.0
    longest: float = 3600.0
    starts: int = 5
    node_type: str = "tryme"
    priority: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformConfig:
    """All of it. With *public_catalog* nobody needs a token to read what there is to deploy. *vos* names the namespace
    of a virtual organisation where that is called otherwise, *limits* narrows what entries allow, by namespace, and
    *writes* are those that one owner may order in a minute."""

    public_catalog: bool = False
    vos: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    writes: int = 300
    log_streams: int = 16
    try_me: TryMeConfig = TryMeConfig()

    def namespace(self, vo: str) -> str:
        """The namespace that *vo* stands for."""
        return self.vos.get(vo, vo)
