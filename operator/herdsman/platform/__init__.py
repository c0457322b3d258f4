"""The platform: deployments of catalog entries, by and for users. A write is a commit, a read is what the loop knows.

config.py      what of it can be set
errors.py      why something is not done, by what the caller can do about it
words.py       the one word for how a deployment does, and the true reason for it
shape.py       what of a job a user is shown: resources, endpoints, image
placements.py  where allocations are, kept up to date from what the loop looks at
info.py        one deployment as it is told
pages.py       which deployments are meant, in which order, in pages
reading.py     deployments as the loop knows them, and as they were just written
documents.py   the spec file of a deployment, made and read
drafting.py    a wish checked as the loop will: against entry, limits, fleet and quotas
orders.py      what is ordered or changed, and what comes of it
deployments.py what a user may do with deployments
tryme.py       a module for ten minutes
catalog.py     what there is to deploy
limits.py      how often somebody may ask
assembly.py    puts these together
"""

from dataclasses import dataclass

from herdsman.platform.catalog import Showcase
from herdsman.platform.config import PlatformConfig, TryMeConfig
from herdsman.platform.deployments import Deployments
from herdsman.platform.placements import Placements
from herdsman.platform.tryme import TryMe


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that a face of the platform may ask for."""

    catalog: Showcase
    deployments: Deployments
    try_me: TryMe
    placements: Placements
    config: PlatformConfig


__all__ = ["Platform", "PlatformConfig", "TryMeConfig"]
