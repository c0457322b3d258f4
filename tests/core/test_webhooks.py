"""Webhooks: who knows the secret, provider by provider."""

import hmac
from hashlib import sha1, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.webhooks import PROVIDERS, header_of, is_genuine

SECRET, BODY = "a secret", b'{"ref": "refs/heads/main"}'
MAC = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()

GENUINE = {
    "github": ("github", {"x-hub-signature-256": f"sha256={MAC}"}),
    "gitlab": ("gitlab", {"x-gitlab-token": SECRET}),
    "gitea": ("gitea", {"x-gitea-signature": MAC}),
    "forgejo": ("forgejo", {"x-forgejo-signature": MAC}),
    "forgejo as gitea": ("forgejo", {"x-gitea-signature": MAC}),
    "bitbucket": ("bitbucket", {"x-hub-signature": f"sha256={MAC}"}),
    "generic": ("generic", {"x-signature": f"sha256={MAC}"}),
    "upper case": ("github", {"x-hub-signature-256": f"SHA256={MAC.upper()}"}),
}


@pytest.mark.parametrize(("provider", "headers"), GENUINE.values(), ids=GENUINE.keys())
def test_who_knows_the_secret_is_believed(provider: str, headers: dict[str, str]) -> None:
    """Each provider in its own header; another body or secret is another signature."""
    assert is_genuine(provider, headers, BODY, secret=SECRET)
    assert not is_genuine(provider, headers, BODY, secret="another")
    assert provider == "gitlab" or not is_genuine(provider, headers, BODY + b" ", secret=SECRET)


OTHERS = {
    "no header": ("github", {}),
    "the header of another": ("github", {"x-gitea-signature": MAC}),
    "an older hash": ("github", {"x-hub-signature-256": f"sha1={hmac.new(SECRET.encode(), BODY, sha1).hexdigest()}"}),
    "a hash that is none": ("generic", {"x-signature": f"none={MAC}"}),
    "a part of it": ("github", {"x-hub-signature-256": f"sha256={MAC[:-1]}"}),
    "nothing after the name": ("github", {"x-hub-signature-256": "sha256="}),
    "no ASCII": ("gitlab", {"x-gitlab-token": "a secrét"}),
    "the secret instead of a signature": ("gitea", {"x-gitea-signature": SECRET}),
}


@pytest.mark.parametrize(("provider", "headers"), OTHERS.values(), ids=OTHERS.keys())
def test_who_does_not_is_refused(provider: str, headers: dict[str, str]) -> None:
    """Whatever is sent instead."""
    assert not is_genuine(provider, headers, BODY, secret=SECRET)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_a_secret_nobody_is_believed(provider: str) -> None:
    """Not even who signs with nothing, or sends an empty token."""
    nothing = hmac.new(b"", BODY, sha256).hexdigest()
    headers = {name: value for name, _ in PROVIDERS[provider] for value in (nothing,)}

    assert not is_genuine(provider, headers, BODY, secret="")
    assert not is_genuine(provider, dict.fromkeys(headers, ""), BODY, secret="")
    assert header_of(provider).startswith("X-")


@given(st.sampled_from(sorted(PROVIDERS)), st.text(), st.binary())
def test_whatever_is_sent_is_judged(provider: str, header: str, body: bytes) -> None:
    """No header breaks the judge, and none fits by chance."""
    headers = {name: header for name, _ in PROVIDERS[provider]}

    assert not is_genuine(provider, headers, body, secret="a secret that no test guesses")
