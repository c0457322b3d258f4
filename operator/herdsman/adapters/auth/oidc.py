"""Tokens of one OpenID issuer to identities.

Nothing that a token says about how it is verified is followed: the algorithm belongs to the key, the key comes from the
issuer's own set, and `jku`, `x5u`, `x5c` and `jwk` are not looked at. Order matters: what costs little goes first, and
nothing but "not valid" is told before the signature is known to be good. Sources: RFC 7519, RFC 8725, RFC 9068.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError

from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.keys import FAMILIES, KeyCache, PublicKey
from herdsman.adapters.auth.web import IssuerError
from herdsman.core.access import identity
from herdsman.model.identity import Denial, Identity, Why
from herdsman.ports import Clock

_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,8192}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{1,2048}", re.ASCII)

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""What a header may call a token; others are signed by the same keys and are no access tokens (RFC 8725 §3.11)."""

_USES: Final = frozenset({"bearer", "jwt", "at+jwt"})
"""What the claim `typ` of Keycloak may say: not `ID`, `Refresh`, `Offline`, `Logout`."""


class _Registry(jws.JWSRegistry):
    """Only the algorithm that belongs to the key, and room for headers that carry certificates."""

    max_header_length = 8192

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """The algorithm; without the library's warning that EdDSA has another name nowadays."""
        return self.algorithms[name] if self.allowed and name in self.allowed else super().get_alg(name)


class OidcAuth:
    """`ports.Auth` on the tokens of one issuer."""

    def __init__(self, config: AuthConfig, keys: KeyCache, *, clock: Clock) -> None:
        self._config, self._keys, self._clock = config, keys, clock

    def anonymous(self) -> Identity | None:
        """Nobody."""
        return None

    def identify(self, token: str) -> Identity | Denial:
        """Whose *token* that is, or why it is nobody's."""
        try:
            header = self._header(token)
            self._peek(token)
            claims = self._verified(token, header)
            self._judge(claims)
        except _Refusal as refusal:
            return Denial(refusal.why)
        found = identity(claims, issuer=self._config.issuer, rules=self._config.rules)
        return found or Denial(Why.CLAIMS)

    def _header(self, token: str) -> Mapping[str, Any]:
        """The header, where it describes a token of ours. Raises `_Refusal`."""
        if len(token) > self._config.max_token or not _SHAPE.fullmatch(token):
            raise _Refusal(Why.MALFORMED)
        header = _json(token.partition(".")[0])
        algorithm, kid, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "JWT")
        if not isinstance(algorithm, str) or FAMILIES.get(algorithm) not in self._config.algorithms:
            raise _Refusal(Why.ALGORITHM)
        if not isinstance(kid, str) or len(kid) > 512 or "crit" in header or "b64" in header:
            raise _Refusal(Why.MALFORMED)
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise _Refusal(Why.KIND)
        return header

    def _peek(self, token: str) -> None:
        """Another issuer's token is no reason to look for keys. What is read here is believed by nobody."""
        if _json(token.split(".")[1]).get("iss") != self._config.issuer:
            raise _Refusal(Why.ISSUER)

    def _verified(self, token: str, header: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims that the issuer signed. Raises `_Refusal`."""
        algorithm = str(header["alg"])
        try:
            key: PublicKey | None = self._keys.find(header.get("kid", ""), FAMILIES[algorithm])
        except IssuerError:
            raise _Refusal(Why.UNAVAILABLE) from None
        if key is None:
            raise _Refusal(Why.UNKNOWN_KEY)
        try:
            signed = jws.deserialize_compact(token, key, registry=_Registry(algorithm))
        except (JoseError, ValueError):
            raise _Refusal(Why.SIGNATURE) from None
        return _object(signed.payload or b"")

    def _judge(self, claims: Mapping[str, Any]) -> None:
        """Whether these claims of our issuer are an access token for us, now. Raises `_Refusal`."""
        use = claims.get("typ", "Bearer")
        if not isinstance(use, str) or use.lower() not in _USES or "events" in claims:
            raise _Refusal(Why.KIND)
        if "cnf" in claims:  # bound to a key whose possession a bearer does not prove (RFC 7800)
            raise _Refusal(Why.KIND)
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=int(self._config.leeway),
            iss={"essential": True, "value": self._config.issuer},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            rules.validate(dict(claims))
        except ExpiredTokenError:
            raise _Refusal(Why.EXPIRED) from None
        except (InvalidClaimError, MissingClaimError) as error:
            early = error.claim in ("nbf", "iat") and isinstance(claims.get(error.claim), int | float)
            raise _Refusal(Why.NOT_YET if early else Why.CLAIMS) from None
        self._judge_audience(claims)

    def _judge_audience(self, claims: Mapping[str, Any]) -> None:
        audience, client = claims.get("aud", []), claims.get("azp", claims.get("client_id"))
        meant = [audience] if isinstance(audience, str) else audience
        if not isinstance(meant, list) or not all(isinstance(a, str) for a in meant):
            raise _Refusal(Why.AUDIENCE)
        if self._config.audience and not set(meant) & set(self._config.audience):
            raise _Refusal(Why.AUDIENCE)
        if self._config.clients and client not in self._config.clients:
            raise _Refusal(Why.CLIENT)


class _Refusal(Exception):
    """Stops the judging; never leaves this file."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


def _json(part: str) -> Mapping[str, Any]:
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise _Refusal(Why.MALFORMED) from None
    return _object(data)


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _Refusal(Why.MALFORMED)
    return found
