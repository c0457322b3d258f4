"""Puts the rooms of the platform together, from what the operator has."""

from collections.abc import Callable
from typing import Final

from herdsman.core.deployments import Decrypt
from herdsman.looking import Ports
from herdsman.model.catalog import Catalog, Site
from herdsman.platform import Platform
from herdsman.platform.catalog import Showcase
from herdsman.platform.config import PlatformConfig
from herdsman.platform.deployments import Deployments
from herdsman.platform.drafting import Drafting
from herdsman.platform.placements import Placements
from herdsman.platform.reading import Reading
from herdsman.platform.tryme import TryMe
from herdsman.ports import PlacementReader, SpecWriter, Tasks
from herdsman.usecases import Running

_DEFAULTS: Final = PlatformConfig()


def assemble(
    running: Running,
    ports: Ports,
    *,
    writer: SpecWriter | None,
    cluster: PlacementReader,
    tasks: Tasks,
    catalog: Callable[[], Catalog],
    refresh: Callable[[], Catalog] | None = None,
    site: Site | None = None,
    encrypt: Callable[[str], str] | None = None,
    decrypt: Decrypt | None = None,
    config: PlatformConfig = _DEFAULTS,
    salt: bytes | None = None,
) -> Platform:
    """The platform over a running operator. *placements.run* is to be run in a thread of its own."""
    site = site or Site()
    placements = Placements(cluster, ports.store, ports.clock, lambda: running.view.desired.orders)
    reading = Reading(
        desired=lambda: running.view.desired,
        store=ports.store,
        placements=placements,
        catalog=catalog,
        site=site,
        clock=ports.clock,
    )
    placements.news = reading.warm
    drafting = Drafting(
        catalog=catalog,
        desired=lambda: running.view.desired,
        ports=ports,
        site=site,
        limits=config.limits,
        encrypt=encrypt,
        decrypt=decrypt,
    )
    deployments = Deployments(
        running=running,
        ports=ports,
        writer=writer,
        reading=reading,
        drafting=drafting,
        placements=placements,
        tasks=tasks,
        config=config,
    )
    trying = TryMe(deployments, ports.clock, config.try_me)
    if salt is not None:
        trying.salt = salt
    return Platform(Showcase(catalog, refresh, limits=config.limits), deployments, trying, placements, config)
