"""A module for ten minutes: named, started with what it needs by default, and gone when its time is over.

What is tried is a deployment like any, with a label and an end. Whoever brings no token owns it by the address that
asks, told apart by a digest that nobody else can make; so an ID alone shows nothing to anybody else.
"""

import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from herdsman.errors import HerdsmanError
from herdsman.model.catalog import Entry
from herdsman.model.desired import Order
from herdsman.model.identity import Identity, Role
from herdsman.model.writes import Written
from herdsman.platform.config import TRY_ME, TryMeConfig
from herdsman.platform.deployments import Deployments
from herdsman.platform.errors import Away, Exceeded, NotThere
from herdsman.platform.info import Info
from herdsman.platform.limits import RateLimit
from herdsman.platform.orders import Done, Wish
from herdsman.platform.pages import Page, Query
from herdsman.ports import Clock

_TIDY: Final = 600.0
_KEPT: Final = 3600.0
"""Seconds for which it can still be read what became of it."""

_AT_ONCE: Final = 200

ANONYMOUS = "anonymous"
"""The issuer of those who brought no token."""


@dataclass(slots=True)
class TryMe:
    """Safe from any thread. *salt* keeps the digests of addresses apart from anybody else's."""

    deployments: Deployments
    clock: Clock
    config: TryMeConfig
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _rate: RateLimit = field(init=False)

    def __post_init__(self) -> None:
        self._rate = RateLimit(self.config.starts, clock=self.clock)

    def visitor(self, address: str) -> Identity | None:
        """Who asks from *address* without a token; None where nobody may."""
        if not (self.config.enabled and self.config.anonymous):
            return None
        known = hmac.digest(self.salt, _network(address).encode(), hashlib.sha256).hex()[:32]
        return Identity(subject=known, issuer=ANONYMOUS, name="Visitor", grants={self.config.namespace: Role.TRY_ME})

    def create(
        self, who: Identity, module: str, *, title: str = "", seconds: float | None = None, request: str = ""
    ) -> Done:
        """Start *module*. Raises `NotThere` for one that there is not, `Exceeded` for one too many of the caller,
        `Away` where all places are taken, `TooOften`."""
        if not self.config.enabled:
            raise NotThere("nothing can be tried here")
        if who.issuer == ANONYMOUS:
            self._rate.take(who.owner)
        entry: Entry = self.deployments.drafting.entry("modules", module)
        config = self.config
        wish = Wish(
            section="modules",
            name=entry.name,
            namespace=config.namespace,
            title=title,
            expires_after=min(seconds or config.seconds, config.longest),
            node_type=config.node_type,
            priority=config.priority,
            labels={TRY_ME: "true"},
        )
        return self.deployments.create(who, wish, request=request, guard=lambda: self._room(who))

    def _room(self, who: Identity) -> None:
        """Raises where there is none."""
        there = self._there()
        mine = [order for order in there if order.owner == who.owner]
        if len(mine) >= self.config.per_owner:
            raise Exceeded(
                f"you try {len(mine)} of {self.config.per_owner} modules already", hint="end one, or wait for its time"
            )
        if len(there) >= self.config.most:
            ends = min((o.expires for o in there if o.expires is not None), default=None)
            now = self.clock.now().timestamp()
            wait = max(1.0, ends - now) if ends is not None else 60.0
            raise Away(f"all {self.config.most} places are taken", hint="try again later", retry_after=wait)

    def _there(self) -> list[Order]:
        """All that is tried now."""
        now = self.clock.now().timestamp()
        orders = self.deployments.reading.orders().values()
        return [o for o in orders if TRY_ME in o.labels and not (o.expires is not None and o.expires <= now)]

    def page(self, query: Query) -> Page:
        """What of it is there."""
        return self.deployments.page(query)

    def one(self, who: Identity, id_: str) -> tuple[Info, str]:
        """One of them. Raises `NotThere`."""
        self._is_tried(who, id_)
        return self.deployments.one(who, "modules", id_)

    def remove(self, who: Identity, id_: str) -> Written | None:
        """End it; None where there is nothing to end."""
        try:
            self._is_tried(who, id_)
        except NotThere:
            return None
        return self.deployments.remove(who, "modules", id_)

    # -- tidying up --

    def run(self, stopped: Callable[[], bool]) -> None:
        """Take away, now and then, the specs of what was over long ago, until *stopped* answers true."""
        log, wait, due = structlog.get_logger("herdsman"), threading.Event(), self.clock.monotonic() + _TIDY
        while not stopped():
            if self.clock.monotonic() >= due:
                due = self.clock.monotonic() + _TIDY
                try:
                    self.tidy()
                except HerdsmanError as error:
                    log.warning("specs of what was tried cannot be removed", why=str(error))
            wait.wait(1.0)

    def tidy(self) -> int:
        """Remove the specs of what has been over for an hour; how many that were."""
        before = self.clock.now().timestamp() - _KEPT
        orders = self.deployments.reading.orders().values()
        over = [o for o in orders if TRY_ME in o.labels and o.expires is not None and o.expires < before]
        return self.deployments.sweep(over[:_AT_ONCE]) if over else 0

    def _is_tried(self, who: Identity, id_: str) -> None:
        if TRY_ME not in self.deployments.reading.find(who, id_, "modules").labels:
            raise NotThere(f"nothing is tried as {id_[:64]!r}")


def _network(address: str) -> str:
    """Whom an address stands for: a host, or the network of 64 bits that one has in IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
