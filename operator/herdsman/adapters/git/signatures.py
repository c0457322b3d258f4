"""Whether a commit, or the tag that leads to it, is signed by somebody who may.

Git judges, by its exit code: what it prints calls a signature good that is valid, but of a stranger. Only the keys that
were named count. GPG gets a keyring of its own, made of the key files, and a kind of signature for which no key was
named has no program that could call it good. A tag must bear the name that it was found under, or somebody could pass
a signed old version off as a new one. Key files are looked at each time: with a key taken out, a commit that was good
is good no longer.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from herdsman.adapters.git.command import Access, Config, Git
from herdsman.adapters.git.commits import Commit
from herdsman.adapters.git.config import Mode, Verify
from herdsman.adapters.git.failures import said_last
from herdsman.errors import SourceError

_NOBODY: Final = "false"
"""The program that finds no signature good."""


class Signatures:
    """Judges signatures by *verify*. *keyring* is a directory that it may fill."""

    def __init__(self, git: Git, verify: Verify, *, keyring: Path, timeout: float) -> None:
        self._git, self._verify, self._keyring, self._timeout = git, verify, keyring, timeout
        self._imported = ""

    def stamp(self) -> str:
        """Equal as long as the keys are the same. Raises `SourceError` where a key file cannot be read."""
        signers = self._verify.ssh_allowed_signers
        return _digest((*((signers,) if signers else ()), *self._verify.gpg_keys))

    def check(self, commit: Commit, *, repo: Path, ref: str, tag: str, expected: str) -> None:
        """Raises `SourceError`, with whose it is, where what has to be signed is not.

        *ref* is the name in the mirror of what was fetched, *tag* the name that the tag object there bears (empty
        where it is none), *expected* the name under which the remote has it.
        """
        access = self._access()
        if self._verify.mode is not Mode.HEAD:
            if tag and tag != expected:
                raise SourceError(f"the tag {expected} is a signed tag {tag} under another name: {commit}")
            self._judge(
                "verify-tag", ref, f"the tag {expected} on {commit}", signed=bool(tag), repo=repo, access=access
            )
        if self._verify.mode is not Mode.TAG:
            self._judge("verify-commit", commit.oid, str(commit), signed=commit.signed, repo=repo, access=access)

    def _judge(self, command: str, name: str, what: str, *, signed: bool, repo: Path, access: Access) -> None:
        done = self._git.run(command, name, repo=repo, access=access, timeout=self._timeout)
        if not done.ok:
            said = said_last(done.err)
            why = f"not signed by an allowed key{f' ({said})' if said else ''}" if signed else "not signed"
            raise SourceError(
                f"{what} is {why}", hint="it is not applied: sign it with a key that is allowed, or allow that key"
            )

    def _access(self) -> Access:
        """The programs and keys that may call a signature good."""
        signers, gpg_keys = self._verify.ssh_allowed_signers, self._verify.gpg_keys
        config: Config = (
            ("gpg.program", "gpg" if gpg_keys else _NOBODY),
            ("gpg.x509.program", _NOBODY),
            ("gpg.ssh.program", "ssh-keygen" if signers else _NOBODY),
        )
        if signers:
            config += (("gpg.ssh.allowedSignersFile", str(signers.absolute())),)
        if gpg_keys:
            self._import(gpg_keys)
        return Access(config, {"GNUPGHOME": str(self._keyring)})

    def _import(self, keys: tuple[Path, ...]) -> None:
        digest = _digest(keys)
        if digest == self._imported and self._keyring.is_dir():
            return
        shutil.rmtree(self._keyring, ignore_errors=True)
        self._keyring.mkdir(mode=0o700)
        options = ("--batch", "--no-autostart", "--homedir", str(self._keyring), "--status-fd=1", "--import", "--")
        for path in keys:
            done = self._git.run(*options, str(path.absolute()), program="gpg", timeout=self._timeout)
            if b"[GNUPG:] IMPORT_OK " not in done.out:  # its exit code tells of agents and trust, too
                raise SourceError(
                    f"{path} holds no GPG key that can be read: {said_last(done.err)}", hint="gpg --export makes one"
                )
        self._imported = digest


def _digest(paths: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SourceError(
                f"the keys in {path} cannot be read: {reason}", hint="without them nobody's signature counts"
            ) from None
    return digest.hexdigest()
