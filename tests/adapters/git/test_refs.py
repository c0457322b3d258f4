"""Which commit is followed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.adapters.git.refs import (
    DEFAULT_BRANCH,
    Advertised,
    Named,
    Pinned,
    Ref,
    Target,
    Versions,
    reference,
)
from herdsman.adapters.git.versions import Version, version_range
from herdsman.errors import SettingsError, SourceError

A, B, C = "a" * 40, "b" * 40, "c" * 40

WORDS: dict[str, tuple[dict[str, str], Ref]] = {
    "nothing": ({}, DEFAULT_BRANCH),
    "a branch": ({"branch": "main"}, Named("refs/heads/main")),
    "a branch with slashes": ({"branch": "release/2026"}, Named("refs/heads/release/2026")),
    "a branch in full": ({"branch": "refs/heads/main"}, Named("refs/heads/main")),
    "a pull request": ({"branch": "refs/pull/7/head"}, Named("refs/pull/7/head")),
    "a tag": ({"tag": "v1.2.3"}, Named("refs/tags/v1.2.3")),
    "a tag that is a number": ({"tag": "v1"}, Named("refs/tags/v1")),
    "a tag that is no version": ({"tag": "prod"}, Named("refs/tags/prod")),
    "a range as a tag": ({"tag": "1.x"}, Versions("1.x")),
    "a range with signs": ({"tag": ">=1.2 <2"}, Versions(">=1.2 <2")),
    "a range": ({"semver": "1.2"}, Versions("1.2")),
    "a commit": ({"commit": "A" * 40}, Pinned(A)),
    "a SHA-256 commit": ({"commit": "b" * 64}, Pinned("b" * 64)),
}


@pytest.mark.parametrize("name", WORDS)
def test_what_people_say(name: str) -> None:
    """Branch, tag, range and commit become what they name."""
    words, expected = WORDS[name]

    assert reference(**words) == expected


@pytest.mark.parametrize(
    "words",
    [
        {"branch": "--upload-pack=touch x"},
        {"branch": "-main"},
        {"branch": "a..b"},
        {"branch": "a b"},
        {"branch": "a\nb"},
        {"branch": "a:b"},
        {"branch": "a*"},
        {"branch": "a@{1}"},
        {"branch": "@"},
        {"branch": "a.lock"},
        {"branch": "x/.hidden"},
        {"branch": "a//b"},
        {"branch": "a/"},
        {"branch": "/a"},
        {"branch": "a."},
        {"branch": "a\\b"},
        {"branch": "a\u202eb"},
        {"branch": "x" * 300},
        {"tag": "-d"},
        {"tag": ">=nonsense"},
        {"semver": "latest"},
        {"semver": "1.2 - 2"},
        {"semver": "1.2.3.4"},
        {"semver": "|| 1"},
        {"semver": "1.x || " * 50 + "2.x"},
        {"commit": "abc1234"},
        {"commit": "g" * 40},
        {"commit": "--exec=x"},
        {"branch": "main", "tag": "v1"},
        {"tag": "v1", "semver": "1.x"},
    ],
)
def test_what_is_refused(words: dict[str, str]) -> None:
    """Options, what git would not take for a name, short commits, nonsense, and two things at once."""
    with pytest.raises(SettingsError):
        reference(**words)


RANGES = {
    "1.x": ["1.0.0", "1.2.0", "1.2.3", "1.3.0"],
    "1": ["1.0.0", "1.2.0", "1.2.3", "1.3.0"],
    "v1.X": ["1.0.0", "1.2.0", "1.2.3", "1.3.0"],
    "^1.2": ["1.2.0", "1.2.3", "1.3.0"],
    "^1.2.3": ["1.2.3", "1.3.0"],
    "^0.2": ["0.2.0", "0.2.9"],
    "^0.0.3": ["0.0.3"],
    "^0": ["0.0.3", "0.0.4", "0.2.0", "0.2.9", "0.3.0"],
    "~1.2.1": ["1.2.3"],
    "~1.2": ["1.2.0", "1.2.3"],
    "~1": ["1.0.0", "1.2.0", "1.2.3", "1.3.0"],
    "1.2.*": ["1.2.0", "1.2.3"],
    ">=1.2 <2": ["1.2.0", "1.2.3", "1.3.0"],
    ">= 1.2, < 2": ["1.2.0", "1.2.3", "1.3.0"],
    ">1.2": ["1.3.0", "2.0.0"],
    ">1.2.0 <1.3.0": ["1.2.3"],
    "<=0.2": ["0.0.3", "0.0.4", "0.2.0", "0.2.9"],
    "<=0.2.0": ["0.0.3", "0.0.4", "0.2.0"],
    "<0.0.4": ["0.0.3"],
    "0.0.3 || 2.x": ["0.0.3", "2.0.0"],
    "=1.2.3": ["1.2.3"],
    "1.2.3": ["1.2.3"],
    "1.3.0-rc.1": ["1.3.0-rc.1"],
    ">=1.3.0-0 <2": ["1.3.0-rc.1", "1.3.0-rc.2", "1.3.0-rc.10", "1.3.0"],
    ">1.3.0-rc.2 <=1.3.0": ["1.3.0-rc.10", "1.3.0"],
    "<1.3.0-rc.2 >1.2": ["1.3.0-rc.1"],
    "<*": [],
}

VERSIONS = [
    "0.0.3", "0.0.4", "0.2.0", "0.2.9", "0.3.0", "1.0.0", "1.2.0", "1.2.3", "1.3.0-rc.1", "1.3.0-rc.2", "1.3.0-rc.10",
    "1.3.0", "2.0.0-alpha", "2.0.0",
]  # fmt: skip


@pytest.mark.parametrize("text", RANGES)
def test_what_a_range_holds(text: str) -> None:
    """As people know it from package managers; pre-releases only where one is named."""
    fits = version_range(text)
    found = [v for v in VERSIONS if (version := Version.of(v)) and fits(version)]

    assert found == RANGES[text]


@pytest.mark.parametrize("text", ["*", "x", ">=0"])
def test_any_version(text: str) -> None:
    """Everything but pre-releases."""
    fits = version_range(text)

    assert [v for v in VERSIONS if (version := Version.of(v)) and fits(version)] == [
        v for v in VERSIONS if "-" not in v
    ]


def test_the_order_of_versions() -> None:
    """The order that https://semver.org gives as its example, and by numbers, not letters."""
    texts = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.9.0 1.10.0"
    )
    versions = [version for text in texts.split() if (version := Version.of(text))]

    assert sorted(versions, reverse=True) == versions[::-1]
    assert len(versions) == len(texts.split())


@pytest.mark.parametrize("text", ["1.2", "v1", "1.02.3", "1.2.3.4", "x1.2.3", "1.2.3-", "", "1.2.3 ", "１.2.3"])
def test_what_is_no_version(text: str) -> None:
    """Tags that are not whole versions are not guessed at."""
    assert Version.of(text) is None


NUMBERS = st.integers(0, 3)
VERSION = st.builds(lambda *n: Version(n), NUMBERS, NUMBERS, NUMBERS)  # type: ignore[arg-type]


@given(low=VERSION, version=VERSION)
def test_carets_and_tildes_are_intervals(low: Version, version: Version) -> None:
    """`^v` is everything from v on that keeps its first number that is not 0; `~v` keeps the first two."""
    text = ".".join(map(str, low.core))
    first = next((i for i, n in enumerate(low.core) if n), 2)

    assert version_range(f"^{text}")(version) == (version >= low and version.core[: first + 1] == low.core[: first + 1])
    assert version_range(f"~{text}")(version) == (version >= low and version.core[:2] == low.core[:2])


@given(st.text("0123456789.x*^~<>=|-, v", max_size=12))
def test_any_text_is_a_range_or_is_refused(text: str) -> None:
    """Nothing else happens."""
    with suppress(SettingsError):
        version_range(text)(Version((1, 2, 3)))


ADVERTISED = Advertised(
    {
        "HEAD": A,
        "refs/heads/main": A,
        "refs/heads/x/refs/heads/gone": B,
        "refs/tags/v1.2.0": B,
        "refs/tags/v1.10.0": C,
        "refs/tags/v1.10.0^{}": A,
        "refs/tags/v2.0.0-rc.1": A,
        "refs/tags/nightly": A,
    },
    "refs/heads/main",
)


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        (DEFAULT_BRANCH, Target("refs/heads/main", A)),
        (reference(branch="main"), Target("refs/heads/main", A)),
        (reference(tag="v1.10.0"), Target("refs/tags/v1.10.0", C)),
        (reference(tag="1.x"), Target("refs/tags/v1.10.0", C)),
        (reference(semver=">=1.0.0-0"), Target("refs/tags/v2.0.0-rc.1", A)),
        (reference(commit=B), Target(B, B)),
    ],
)
def test_what_a_reference_leads_to(ref: Ref, expected: Target) -> None:
    """What the remote advertises under exactly that name, or the greatest version of the range."""
    assert ref.resolve(ADVERTISED) == expected


@pytest.mark.parametrize(
    ("ref", "advertised", "words"),
    [
        (reference(branch="gone"), ADVERTISED, "no branch gone.*default is branch main"),
        (reference(tag="v9.9.9"), ADVERTISED, "no tag v9.9.9"),
        (reference(semver="3.x"), ADVERTISED, "no tag within '3.x'.*tag v2.0.0-rc.1"),
        (reference(semver="3.x"), Advertised({"refs/tags/x": A}), "none of its tags is a version"),
        (reference(branch="main"), Advertised(), "an empty repository"),
        (DEFAULT_BRANCH, Advertised(), "an empty repository"),
        (DEFAULT_BRANCH, Advertised({"refs/heads/main": A}), "no default branch"),
    ],
)
def test_what_is_not_there(ref: Ref, advertised: Advertised, words: str) -> None:
    """What the remote lacks is an error that says what it has instead."""
    with pytest.raises(SourceError, match=words):
        ref.resolve(advertised)


@pytest.mark.parametrize("default", ["", "refs/heads/a:b", "refs/heads/*", "--upload-pack=x", "refs/heads/a..b", "x"])
def test_a_default_branch_with_a_name_that_is_none(default: str) -> None:
    """What a remote calls its default branch is used as a name only where it is one."""
    advertised = Advertised.parse(f"ref: {default}\tHEAD\n{A}\tHEAD\n")

    assert DEFAULT_BRANCH.resolve(advertised) == Target("HEAD", A)


@pytest.mark.parametrize("end", ["\u2028", "\x0b", "\x85", "\r", "\x1c"])
def test_a_branch_cannot_pass_for_another(end: str) -> None:
    """A name with a character that some take for the end of a line is that whole name."""
    advertised = Advertised.parse(f"{A}\trefs/heads/main\n{B}\trefs/heads/main{end}x\n")

    assert reference(branch="main").resolve(advertised).oid == A


@given(st.text(max_size=200))
def test_any_answer_can_be_read(text: str) -> None:
    """Whatever a remote says, only lines that name objects count."""
    assert all(len(oid) in (40, 64) for oid in Advertised.parse(text).refs.values())
