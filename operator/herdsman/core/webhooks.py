"""Whether a webhook comes from whom it says: its signature, made with a secret that both sides know.

The payload itself is believed in nothing. Whoever sends it only says that there is news; what is new is asked of the
repository. A secret is compared in constant time, so that nobody learns it digit by digit.

GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/#validate-requests-by-using-a-secret-token
Gitea and Forgejo: https://docs.gitea.com/usage/repository/webhooks
Bitbucket: https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
"""

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

Judge = Callable[[str, bytes, bytes], bool]
"""Header, secret and body to whether they fit."""


def _signed(header: str, secret: bytes, body: bytes) -> bool:
    """The hexadecimal HMAC-SHA256 of the body, with or without `sha256=` before it."""
    kind, equals, digest = header.strip().rpartition("=")
    if equals and kind.strip().lower() != "sha256":
        return False
    expected = hmac.new(secret, body, sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), digest.strip().lower().encode())


def _told(header: str, secret: bytes, _body: bytes) -> bool:
    """The secret itself."""
    return hmac.compare_digest(secret, header.strip().encode())


PROVIDERS: Final[Mapping[str, tuple[tuple[str, Judge], ...]]] = {
    "github": (("x-hub-signature-256", _signed),),
    "gitlab": (("x-gitlab-token", _told),),
    "gitea": (("x-gitea-signature", _signed),),
    "forgejo": (("x-forgejo-signature", _signed), ("x-gitea-signature", _signed)),
    "bitbucket": (("x-hub-signature", _signed),),
    "generic": (("x-signature", _signed),),
}
"""Who may send webhooks, and in which headers each proves that it knows the secret."""


def header_of(provider: str) -> str:
    """The header that *provider* signs in, for a reader."""
    return PROVIDERS[provider][0][0].title()


def is_genuine(provider: str, headers: Mapping[str, str], body: bytes, *, secret: str) -> bool:
    """Whether *body* comes from somebody who knows *secret*; header names are lower case. An empty secret fits nobody.

    Raises `KeyError` for a provider that is none of `PROVIDERS`.
    """
    judges = PROVIDERS[provider]
    return bool(secret) and any(judge(headers.get(name, ""), secret.encode(), body) for name, judge in judges)
