"""Whoever judges tokens, put together from a config."""

from collections.abc import Callable
from functools import partial

from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.keys import KeyCache, fetch_keys
from herdsman.adapters.auth.oidc import OidcAuth
from herdsman.adapters.auth.tokens import PREFIX, TokenFile
from herdsman.adapters.auth.web import Web
from herdsman.errors import SettingsError
from herdsman.model.identity import LOCAL, Denial, Identity, Why
from herdsman.ports import Auth, Clock


class LocalAuth:
    """`ports.Auth` where no users are known: everybody who gets as far as this is on this machine, and its admin.

    It is only sound behind a listener on loopback and the guard of `api.guards`.
    """

    def identify(self, token: str) -> Identity | Denial:
        """The local admin."""
        return LOCAL

    def anonymous(self) -> Identity | None:
        """The local admin."""
        return LOCAL


class Authenticator:
    """`ports.Auth` on whatever the token looks like: a machine's, or the issuer's."""

    def __init__(self, *, oidc: Auth | None, machines: Auth | None) -> None:
        self._oidc, self._machines = oidc, machines

    def identify(self, token: str) -> Identity | Denial:
        """Whose *token* that is, or why it is nobody's."""
        one = self._machines if token.startswith(PREFIX) else self._oidc
        return one.identify(token) if one is not None else Denial(Why.UNKNOWN_TOKEN)

    def anonymous(self) -> Identity | None:
        """Nobody."""
        return None


def build(config: AuthConfig, *, clock: Clock, warn: Callable[[str], None]) -> Auth:
    """What *config* asks for; `LocalAuth` where it names neither issuer nor token file. Raises `SettingsError`.

    The issuer is asked at the first token, not here: a server starts while its issuer is away.
    """
    config.check()
    if not config.issuer and config.token_file is None:
        return LocalAuth()
    if config.ca_file is not None and not config.ca_file.is_file():
        raise SettingsError(
            f"{config.ca_file}: no such file", hint="it holds the authorities that the issuer's TLS needs"
        )
    machines = TokenFile(config.token_file, clock=clock, warn=warn) if config.token_file else None
    oidc = _oidc(config, clock=clock, warn=warn) if config.issuer else None
    return Authenticator(oidc=oidc, machines=machines)


def _oidc(config: AuthConfig, *, clock: Clock, warn: Callable[[str], None]) -> OidcAuth:
    web = Web(ca_file=config.ca_file, timeout=config.timeout)
    keys = KeyCache(
        partial(fetch_keys, web, config.issuer, config.algorithms),
        clock=clock,
        warn=warn,
        refresh=config.refresh,
        stale=config.stale,
        cooldown=config.cooldown,
        patience=2 * config.timeout,
    )
    return OidcAuth(config, keys, clock=clock)
