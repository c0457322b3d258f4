"""What may be said of a Git source, and what is refused before anything is done with it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.adapters.git import Credentials, GitConfig, Mode, Scheme, Verify, reference
from herdsman.errors import SettingsError

URL = "https://git.example/fleet.git"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://me@git.example:8443/a/b.git",
        "https://[::1]:8443/a.git",
        "https://git.example/~me/fleet",
        "ssh://git@git.example/a.git",
        "ssh://git@git.example:2222/~/a.git",
        "git@git.example:org/fleet.git",
        "git.example:fleet.git",
    ],
)
def test_urls_that_are_spoken(url: str) -> None:
    """https and ssh, with its short form, as they are written."""
    assert GitConfig(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-",
        "--upload-pack=touch${IFS}x",
        "-oProxyCommand=x:y",
        "ext::sh -c touch% x",
        "ext::x",
        "fd::17",
        "::x",
        "transport::https://git.example/x",
        "ssh://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x@host/y",
        "-x@host:y",
        "host:-y",
        "https://-x/y",
        "https://git.example/a b",
        "https://git.example/a\nb",
        "https://git.example/a\x00b",
        "https://git.example",
        "https:///x",
        "https://git.*/x",
        "https://git.example:port/x",
        "https://[::1/x",
        "https://git.example/x?y=z",
        "https://git.example/x#y",
        "ftp://git.example/x",
        "http://git.example/x",
        "git://git.example/x",
        "file:///srv/x",
        "/srv/x",
        "./x",
        "fleet.git",
        "C:\\x y",
        "HTTPS//x",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Options, transports that run commands, what is not encrypted, and what is no URL."""
    with pytest.raises(SettingsError, match="Git URL"):
        GitConfig(url)


@pytest.mark.parametrize("url", ["http://git.example/x", "git://git.example/x", "file:///srv/x", "/srv/some where"])
def test_what_is_not_secure_has_to_be_allowed(url: str) -> None:
    """Plain HTTP, git's own protocol and files, for tests and for those who know."""
    assert GitConfig(url, allow_insecure=True).protocol in ("http", "git", "file")


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@git.example/x", "https://:hunter2@git.example/x", "me:hunter2@git.example:x"]
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    """It would be seen in lists of processes; and an error is a log line."""
    with pytest.raises(SettingsError) as caught:
        GitConfig(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("/", ""),
        (".", ""),
        ("specs", "specs"),
        ("/specs/prod/", "specs/prod"),
        ("a//b/./c", "a/b/c"),
        (".hidden", ".hidden"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    """Slashes at the ends and dots inside mean nothing."""
    assert GitConfig(URL, path=path).path == expected


@pytest.mark.parametrize("path", ["..", "../x", "a/../../b", "a\nb", "a\x00b"])
def test_paths_that_are_refused(path: str) -> None:
    """There is no way out of a repository."""
    with pytest.raises(SettingsError, match="no path inside a repository"):
        GitConfig(URL, path=path)


KEY = Path("key")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"include": ("",)}, "no pattern"),
        ({"exclude": ("a\nb",)}, "no pattern"),
        ({"exclude": ("[[a]",)}, "no pattern"),
        ({"interval": 0}, "longer than nothing"),
        ({"timeout": -1}, "longer than nothing"),
        ({"credentials": Credentials(secret="x", secret_file=KEY)}, "exclude each other"),
        ({"credentials": Credentials(client_key=KEY)}, "client_key needs client_cert"),
        ({"credentials": Credentials(ssh_key=KEY)}, "ssh_key is of no use with https"),
        ({"credentials": Credentials(scheme=Scheme.BEARER)}, "bearer token has to be given"),
        ({"url": "git@h:x", "credentials": Credentials(secret="x")}, "a secret is of no use with ssh"),
        ({"credentials": Credentials(secret="a\nb")}, "one line each"),
        ({"credentials": Credentials(username="a\npassword=b", secret="c")}, "one line each"),
        ({"proxy": "proxy:3128"}, "proxy for Git is no URL"),
        ({"proxy": "http://[::1"}, "proxy for Git is no URL"),
        ({"proxy": "http://p:1\n"}, "proxy for Git is no URL"),
        ({"proxy": "file:///x"}, "proxy for Git is no URL"),
        ({"verify": Verify()}, "knows no key"),
        ({"verify": Verify(Mode.TAG, ssh_allowed_signers=KEY)}, "verify demands a signed tag"),
        ({"verify": Verify(Mode.TAG_AND_HEAD, gpg_keys=(KEY,)), "ref": reference(branch="main")}, "branch main is"),
    ],
)
def test_what_contradicts_itself(options: dict[str, Any], words: str) -> None:
    """It is refused at once, not at the first fetch."""
    with pytest.raises(SettingsError, match=words):
        GitConfig(**{"url": URL, **options})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"url": "https://me@git.example:8443/a.git"}, "https://git.example:8443/a.git (default branch)"),
        ({"url": "git@git.example:a.git", "path": "specs/"}, "git@git.example:a.git (default branch, path specs)"),
        ({"url": URL, "ref": reference(branch="main"), "path": "x"}, f"{URL} (branch main, path x)"),
        ({"url": URL, "ref": reference(tag="1.x")}, f"{URL} (tag 1.x)"),
        ({"url": URL, "ref": reference(commit="a" * 40)}, f"{URL} (commit aaaaaaaaaaaa)"),
    ],
)
def test_what_a_source_is_known_by(options: dict[str, Any], expected: str) -> None:
    """URL, reference and path, without a user's name where that is part of the credentials."""
    assert GitConfig(**options).place == expected


def test_secrets_are_not_shown() -> None:
    """Neither by `repr`, which ends up in tracebacks, nor in the name of the source."""
    config = GitConfig(URL, credentials=Credentials(secret="hunter2"), proxy="http://me:hunter3@proxy:3128")

    assert "hunter" not in f"{config!r} {config.place} {config.shown}"


@given(st.text(max_size=60))
def test_any_text_is_a_url_of_ours_or_is_refused(text: str) -> None:
    """What passes is spoken over https or ssh, begins no option, and holds no line break."""
    try:
        config = GitConfig(text)
    except SettingsError:
        return
    assert config.protocol in ("https", "ssh")
    assert not config.url.startswith("-")
    assert config.url.isprintable()
