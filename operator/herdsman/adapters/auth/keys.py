"""An issuer's public keys: a dead issuer is survived, a rotated key is found, and nobody can make us hammer.

Keys older than `refresh` are used while one thread fetches new ones; keys older than `stale` are not used at all. A key
that is not known is a reason to look again, at once: but only so often, since anybody can make up a key's name. Whoever
comes while somebody fetches waits for that, and if too many wait already, goes away.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import base64_to_int

from herdsman.adapters.auth.web import IssuerError, Web
from herdsman.ports import Clock

PublicKey = RSAKey | ECKey | OKPKey

MOST_KEYS: Final = 100
MOST_WAITING: Final = 8
BURST: Final = 3
"""So many looks at an issuer come at once, before the cooldown counts: keys may be rotated twice in a row."""

FAMILIES: Final[Mapping[str, str]] = {"RS256": "RS256", "ES256": "ES256", "EdDSA": "EdDSA", "Ed25519": "EdDSA"}
"""Algorithms as tokens and keys name them, to the one that is meant (RFC 9864 renames EdDSA)."""

_KINDS: Final[Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
}
_PARTS: Final = {"RS256": ("kty", "n", "e"), "ES256": ("kty", "crv", "x", "y"), "EdDSA": ("kty", "crv", "x")}


@dataclass(frozen=True, slots=True)
class Keys:
    """Public keys by name and algorithm."""

    by_name: Mapping[tuple[str, str], PublicKey]

    def find(self, kid: str, family: str) -> PublicKey | None:
        """The key of that name; without a name, the only key of that algorithm."""
        if kid:
            return self.by_name.get((kid, family))
        fitting = [key for (_, algorithm), key in self.by_name.items() if algorithm == family]
        return fitting[0] if len(fitting) == 1 else None


def fetch_keys(web: Web, issuer: str, algorithms: Collection[str]) -> Keys:
    """The keys of *issuer*, by discovery. Raises `IssuerError`."""
    place = web.discover(issuer).get("jwks_uri")
    if not isinstance(place, str):
        raise IssuerError(f"the discovery document of {issuer} names no jwks_uri")
    answer = web.get(place)
    found = answer.body.get("keys")
    keys = parse_keys(found if isinstance(found, list) else [], algorithms)
    if answer.status != 200 or not keys.by_name:
        why = f"answered {answer.status}" if answer.status != 200 else "holds no key that can be used"
        raise IssuerError(f"{place.partition('?')[0]} {why}", hint=f"wanted are keys for {', '.join(algorithms)}")
    return keys


def parse_keys(found: Iterable[Any], algorithms: Collection[str]) -> Keys:
    """Every key in *found* that can verify with one of *algorithms*; two different ones of one name are none."""
    by_name: dict[tuple[str, str], PublicKey | None] = {}
    for data in list(found)[:MOST_KEYS]:
        if not isinstance(data, Mapping):
            continue
        kid, family = data.get("kid", ""), _family(data)
        if not isinstance(kid, str) or family not in algorithms:
            continue
        key = _import(data, family)
        if key is not None:
            seen = by_name.get((kid, family), key)
            by_name[kid, family] = key if seen is not None and _same(seen, key) else None
    return Keys({name: key for name, key in by_name.items() if key is not None})


def _family(data: Mapping[str, Any]) -> str:
    """The one algorithm that a key is for; "" where it is for none of ours, or for anything but verifying."""
    operations = data.get("key_ops", ["verify"])
    if data.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return ""
    own = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
    kind, curve = data.get("kty"), data.get("crv")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return ""
    family = own.get((kind, None if kind == "RSA" else curve), "")
    named = data.get("alg", family)
    return family if isinstance(named, str) and FAMILIES.get(named) == family else ""


def _import(data: Mapping[str, Any], family: str) -> PublicKey | None:
    """The key, of its public parts alone: an issuer that publishes the private ones does not make us hold them."""
    parts = {name: data.get(name, "") for name in _PARTS[family]}
    if not all(isinstance(value, str) and len(value) <= 2048 for value in parts.values()):
        return None
    try:
        if family == "RS256" and not 2048 <= base64_to_int(str(parts["n"])).bit_length() <= 8192:
            return None
        key = _KINDS[family].import_key(parts)
        _ = key.public_key  # made only when it is asked for: a point off its curve shows here
    except (JoseError, ValueError, TypeError):
        return None
    return key


def _same(one: PublicKey, other: PublicKey) -> bool:
    return one.thumbprint() == other.thumbprint()


class KeyCache:
    """The keys of one issuer. *fetch* gets them, *warn* is told when the issuer fails and when it is well again."""

    def __init__(
        self,
        fetch: Callable[[], Keys],
        *,
        clock: Clock,
        warn: Callable[[str], None],
        refresh: float = 3600.0,
        stale: float = 86400.0,
        cooldown: float = 10.0,
        patience: float = 15.0,
    ) -> None:
        self._fetch, self._clock, self._warn = fetch, clock, warn
        self._refresh, self._stale, self._cooldown, self._patience = refresh, stale, cooldown, patience
        self._changed = threading.Condition()
        self._keys = Keys({})
        self._fetched = -inf
        self._looks = float(BURST)
        self._counted = clock.monotonic()
        self._busy = False
        self._round = 0
        self._waiting = 0
        self._trouble = ""

    def find(self, kid: str, family: str) -> PublicKey | None:
        """The key that is meant. Raises `IssuerError` where no keys are known and none can be had."""
        seen = self._round
        age = self._clock.monotonic() - self._fetched
        if age > self._stale:
            self._look(seen)
            if self._clock.monotonic() - self._fetched > self._stale:
                raise IssuerError(self._trouble or "the keys of the issuer are not known")
        elif age > self._refresh and self._begin(seen):
            threading.Thread(target=self._load, name="issuer-keys", daemon=True).start()
        seen = self._round
        key = self._keys.find(kid, family)
        if key is None:
            self._look(seen)
            key = self._keys.find(kid, family)
        return key

    def _look(self, seen: int) -> None:
        """Fetch the keys now, or wait for somebody who does; nothing at all where that was done too often.

        Nothing either where somebody has done it since the round that was *seen*.
        """
        if self._begin(seen):
            self._load()
            return
        with self._changed:
            if not self._busy or self._round != seen:
                return
            if self._waiting >= MOST_WAITING:
                raise IssuerError("too many wait for the issuer's keys")
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._round != seen, self._patience)
            finally:
                self._waiting -= 1

    def _begin(self, seen: int) -> bool:
        """Whether the caller is the one who fetches: nobody else does, nobody just did, and it is not too soon."""
        with self._changed:
            now = self._clock.monotonic()
            self._looks = min(float(BURST), self._looks + (now - self._counted) / self._cooldown)
            self._counted = now
            if self._busy or self._round != seen or self._looks < 1:
                return False
            self._looks -= 1
            self._busy = True
            return True

    def _load(self) -> None:
        keys: Keys | None = None
        trouble = "the keys of the issuer could not be fetched"
        try:
            keys, trouble = self._fetch(), ""
        except IssuerError as error:
            trouble = error.message
        finally:
            with self._changed:
                before, self._trouble = self._trouble, trouble
                if keys is not None:
                    self._keys, self._fetched = keys, self._clock.monotonic()
                self._busy = False
                self._round += 1
                self._changed.notify_all()
        if bool(trouble) != bool(before):
            self._warn(f"tokens: {trouble}" if trouble else "tokens: the issuer answers again")
