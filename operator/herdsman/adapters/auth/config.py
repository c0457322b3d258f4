"""What tokens are judged by."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from herdsman.core.access import AccessRules, group_path
from herdsman.errors import SettingsError

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""All that can be chosen. Each belongs to one kind of key, so a token has no say in how it is verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """Which issuer is believed, and what else. Times are in seconds.

    *audience* is what a token has to be meant for (any of these), *clients* who it has to be issued to (`azp`, or
    `client_id`); each counts where it is given, and one has to be. Some issuers name no audience: then *clients* alone
    decides, and whatever else these clients obtain tokens for is admitted too.

    Keys are fetched again after *refresh*; a dead issuer is survived until they are *stale*.
    """

    issuer: str = ""
    audience: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ALGORITHMS
    leeway: float = 30.0
    rules: AccessRules = field(default_factory=AccessRules)
    ca_file: Path | None = None
    token_file: Path | None = None
    refresh: float = 3600.0
    stale: float = 86400.0
    cooldown: float = 10.0
    timeout: float = 5.0
    max_token: int = 16 * 1024

    def check(self) -> None:
        """Raise `SettingsError` where the parts make no sense."""
        if self.issuer:
            problem = url_problem(self.issuer)
            if problem or "?" in self.issuer or "@" in self.issuer:
                raise SettingsError(f"the issuer {self.issuer!r} {problem or 'is no plain address'}", hint=_HTTPS)
            if not (self.audience or self.clients):
                raise SettingsError(
                    "an issuer without an audience: any token of any service would be admitted",
                    hint="name what tokens are meant for, or the clients that they are issued to",
                )
        unknown = [a for a in self.algorithms if a not in ALGORITHMS]
        if unknown or not self.algorithms:
            raise SettingsError(
                f"{unknown[0]!r} cannot verify tokens" if unknown else "no algorithm to verify tokens with",
                hint=f"choose among {', '.join(ALGORITHMS)}",
            )
        unreadable = [vo for vo in self.rules.vos if group_path(vo) is None]
        if unreadable:
            raise SettingsError(f"{unreadable[0]!r} is no name of a VO", hint="vo or vo:subgroup, percent-encoded")


_HTTPS: Final = "an https address, as its discovery document names it; http only on this machine"


def url_problem(url: str) -> str:
    """Why *url* is no address that keys or credentials may go to or come from; "" where it is one."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no address"
    if not host or parts.username is not None or parts.fragment or not url.isprintable() or " " in url:
        return "is no address of a server"
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return "is not https"
    return ""


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
