"""Only what somebody signed who may is delivered."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.git.worlds import MAIN, World, again
from gitservers import Repository, key_pair
from herdsman.adapters.git import GitSource, Mode, Ref, Verify, reference
from herdsman.errors import SourceError

EVE = "Eve <eve@example.org>"


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody with a key, as git's configuration."""

    config: tuple[str, ...]
    env: dict[str, str]

    def commit(self, repository: Repository, text: str, *, author: str = EVE) -> str:
        """A signed commit on the main branch."""
        name, _, mail = author.rstrip(">").partition(" <")
        person = {
            "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": mail,
        }  # fmt: skip
        plain = repository.commit({"a.yaml": text}, author=author)
        commit = repository.git(
            *self.config, "commit-tree", "-S", f"{plain}^{{tree}}", "-m", text, env={**self.env, **person}
        )
        repository.git("update-ref", "refs/heads/main", commit)
        return commit

    def tag(self, repository: Repository, name: str) -> None:
        """A signed tag on the main branch."""
        person = ("-c", "user.name=Eve", "-c", "user.email=eve@example.org")
        repository.git(*person, *self.config, "tag", "-f", "-s", "-m", name, name, "main", env=self.env)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to sign: somebody who may, somebody who may not, and how their keys are made known."""

    good: Signer
    bad: Signer
    verify: Callable[[Mode], Verify]
    files: tuple[Path, ...]


def ssh_kind(folder: Path) -> Kind:
    """Keys of ssh; the bad one is known too, but to others."""
    signers = folder / "allowed signers"
    keys = [key_pair(folder / name) for name in ("good", "bad")]
    signers.write_text(f"eve@example.org {keys[0].with_suffix('.pub').read_text()}")
    good, bad = (Signer(("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"), {}) for key in keys)
    return Kind(good, bad, lambda mode: Verify(mode, ssh_allowed_signers=signers), (signers,))


def gpg_kind(folder: Path) -> Kind:
    """Keys of GPG, in a keyring each."""
    signers, files = [], []
    for name in ("good", "bad"):
        home = folder / name[0]
        home.mkdir(mode=0o700)
        env = {"GNUPGHOME": str(home), "PATH": os.environ["PATH"]}
        make = [
            "gpg",
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            f"{name}@example.org",
            "ed25519",
        ]
        subprocess.run(make, env=env, check=True, capture_output=True)
        exported = subprocess.run(["gpg", "--batch", "--armor", "--export"], env=env, check=True, capture_output=True)
        subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False, capture_output=True)
        file = folder / f"{name} key.asc"
        file.write_bytes(exported.stdout)
        files.append(file)
        signers.append(Signer(("-c", f"user.signingkey={name}@example.org"), env))
    return Kind(signers[0], signers[1], lambda mode: Verify(mode, gpg_keys=(files[0],)), (files[0], files[1]))


@pytest.fixture(params=["ssh", "gpg"])
def kind(request: pytest.FixtureRequest, world: World) -> Kind:
    """Each way to sign."""
    folder = world.folder / "k"
    folder.mkdir()
    if request.param == "gpg" and not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    made = {"ssh": ssh_kind, "gpg": gpg_kind}[request.param](folder)
    if request.param == "gpg":
        for name in ("g", "b"):
            world.stack.callback(
                subprocess.run, ["gpgconf", "--homedir", str(folder / name), "--kill", "all"], capture_output=True
            )
    return made


def refused(source: GitSource, words: str) -> str:
    """The next snapshot is refused with these *words*; the value is all of it."""
    with pytest.raises(SourceError, match=words) as caught:
        source.snapshot()
    return str(caught.value)


def test_a_good_signature(kind: Kind, world: World, fleet: Repository) -> None:
    """What is signed by an allowed key is delivered, and marked as verified."""
    commit = kind.good.commit(fleet, "signed")
    source = world.source(verify=kind.verify(Mode.HEAD))
    snapshot = source.snapshot()

    assert (snapshot.revision, snapshot.verified) == (commit, True)
    assert source.state().verified


@pytest.mark.parametrize("sign", ["not at all", "by somebody else"])
def test_a_commit_that_is_not_signed_so(sign: str, kind: Kind, world: World, fleet: Repository) -> None:
    """It is not delivered; whose it was is said; the next good one is."""
    kind.good.commit(fleet, "one")
    source = world.source(verify=kind.verify(Mode.HEAD))
    source.snapshot()
    commit = kind.bad.commit(fleet, "two") if sign == "by somebody else" else fleet.commit({"a.yaml": "x"}, author=EVE)
    source.poke()
    words = "not signed by an allowed key" if sign == "by somebody else" else "is not signed"
    for _ in range(2):
        assert f"commit {commit[:12]} by {EVE}" in refused(source, words)
    assert source.state().failing_since
    assert source.state().commit != commit
    good = kind.good.commit(fleet, "three")

    assert again(source).revision == good


def test_a_signature_on_something_else(kind: Kind, world: World, fleet: Repository) -> None:
    """The signature of one commit, put onto another, is none."""
    signed = fleet.git("cat-file", "commit", kind.good.commit(fleet, "signed"))
    forged = signed.replace("\n\nsigned", "\n\nforged")
    assert forged != signed
    commit = fleet.git("hash-object", "-w", "-t", "commit", "--stdin", stdin=f"{forged}\n".encode())
    fleet.git("update-ref", "refs/heads/main", commit)

    refused(world.source(verify=kind.verify(Mode.HEAD)), "not signed by an allowed key")


def test_the_other_kind_of_signature(world: World, fleet: Repository) -> None:
    """A signature of a kind for which no key is named is none, however good it is."""
    folder = world.folder / "k"
    folder.mkdir()
    kind = ssh_kind(folder)
    kind.good.commit(fleet, "signed")
    anything = world.folder / "any.asc"
    anything.write_text("")
    source = world.source(verify=Verify(gpg_keys=(anything,)))

    with pytest.raises(SourceError):
        source.snapshot()


def test_a_key_that_is_taken_out(kind: Kind, world: World, fleet: Repository) -> None:
    """What was good is good no longer, at the next snapshot, without any news from the remote."""
    kind.good.commit(fleet, "signed")
    source = world.source(verify=kind.verify(Mode.HEAD))
    source.snapshot()
    allowed = kind.files[0]
    before = allowed.read_bytes()
    allowed.write_bytes(kind.files[1].read_bytes() if len(kind.files) > 1 else b"# nobody\n")
    refused(source, "not signed by an allowed key")
    allowed.write_bytes(before)

    assert source.snapshot().verified


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_keys_that_cannot_be_read(content: bytes | None, kind: Kind, world: World, fleet: Repository) -> None:
    """Without keys nobody's signature counts; a file that is gone is named."""
    kind.good.commit(fleet, "signed")
    if content is None:
        kind.files[0].unlink()
    else:
        kind.files[0].write_bytes(content)
    said = refused(world.source(verify=kind.verify(Mode.HEAD)), ".")

    assert content is not None or str(kind.files[0]) in said


RANGE = reference(semver="1.x")
TAG = reference(tag="v1.0.0")


@pytest.mark.parametrize("ref", [TAG, RANGE])
def test_a_signed_tag(ref: Ref, kind: Kind, world: World, fleet: Repository) -> None:
    """The tag is what counts, whoever wrote the commit; in both modes the commit counts too."""
    kind.good.tag(fleet, "v1.0.0")

    assert world.source(ref=ref, verify=kind.verify(Mode.TAG)).snapshot().branch == "v1.0.0"
    refused(world.source(ref=ref, verify=kind.verify(Mode.TAG_AND_HEAD)), "commit .* is not signed")
    kind.good.commit(fleet, "signed")
    kind.good.tag(fleet, "v1.0.0")
    assert world.source(ref=ref, verify=kind.verify(Mode.TAG_AND_HEAD)).snapshot().verified


def test_a_tag_that_is_not_signed_so(kind: Kind, world: World, fleet: Repository) -> None:
    """A bare tag, one without signature, and one of somebody else: each is refused by name."""
    kind.good.commit(fleet, "signed")
    source = world.source(ref=TAG, verify=kind.verify(Mode.TAG))
    person = ("-c", "user.name=x", "-c", "user.email=x")
    fleet.git("tag", "v1.0.0", "main")
    refused(source, "the tag v1.0.0 on commit .* is not signed")
    fleet.git(*person, "tag", "-f", "-a", "-m", "x", "v1.0.0", "main")
    source.poke()
    refused(source, "the tag v1.0.0 on commit .* is not signed")
    kind.bad.tag(fleet, "v1.0.0")
    source.poke()
    refused(source, "the tag v1.0.0 on commit .* is not signed by an allowed key")


def test_a_signed_tag_under_another_name(kind: Kind, world: World, fleet: Repository) -> None:
    """An old version that was signed once cannot be passed off as a new one."""
    kind.good.tag(fleet, "v1.0.0")
    fleet.git("update-ref", "refs/tags/v1.9.0", "refs/tags/v1.0.0")

    refused(world.source(ref=RANGE, verify=kind.verify(Mode.TAG)), "v1.9.0 is a signed tag v1.0.0 under another name")


def test_both_kinds_of_keys(world: World, fleet: Repository) -> None:
    """Where both are named, either is enough."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    (world.folder / "s").mkdir()
    (world.folder / "p").mkdir()
    ssh, gpg = ssh_kind(world.folder / "s"), gpg_kind(world.folder / "p")
    verify = Verify(ssh_allowed_signers=ssh.files[0], gpg_keys=(gpg.files[0],))
    for signer in (ssh.good, gpg.good):
        commit = signer.commit(fleet, "signed")
        assert world.source(ref=MAIN, verify=verify).snapshot().revision == commit
    for signer in (ssh.bad, gpg.bad):
        signer.commit(fleet, "signed")
        refused(world.source(ref=MAIN, verify=verify), "not signed by an allowed key")
    for name in ("g", "b"):
        home = str(world.folder / "p" / name)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)
