"""The remote, asked which commit is followed just now. Nothing is fetched."""

import re
from dataclasses import replace
from typing import Final

from herdsman.adapters.git.command import Access, Git
from herdsman.adapters.git.config import GitConfig
from herdsman.adapters.git.credentials import access
from herdsman.adapters.git.failures import explain
from herdsman.adapters.git.refs import Advertised, Target
from herdsman.errors import SourceError

OLDEST_GIT: Final = (2, 31)
"""The first that takes configuration from its environment."""

_MOVED: Final = re.compile(r"^warning: redirecting to (\S+)", re.MULTILINE)


class Remote:
    """The repository that *config* names. *moved* is where its server says it is now, empty where it is at home."""

    def __init__(self, config: GitConfig, git: Git) -> None:
        self._config, self._git = config, git
        self._known_git = False
        self.moved = ""

    def access(self) -> Access:
        """What a command needs to reach it. Raises `SourceError` where a secret cannot be read."""
        return access(self._config)

    def ask(self) -> Target:
        """The commit that is followed, by name and ID. Raises `SourceError`."""
        self._check_git()
        ref, opened = self._config.ref, self.access()
        advertised = self._list(opened, ref.question) if ref.question else Advertised()
        try:
            return ref.resolve(advertised)
        except SourceError:
            more = self._list(opened, ("--symref", "origin", "HEAD"))  # what else there is, for a better answer
            return ref.resolve(replace(more, refs={**more.refs, **advertised.refs}))

    def _list(self, opened: Access, question: tuple[str, ...]) -> Advertised:
        done = self._git.run("ls-remote", *question, access=opened, timeout=self._config.timeout)
        if not done.ok:
            raise explain(done, self._config.shown)
        moved = _MOVED.search(done.err)
        self.moved = moved[1].rstrip("/")[:200] if moved and moved[1].isprintable() else ""
        return Advertised.parse(done.out.decode("utf-8", "replace"))

    def _check_git(self) -> None:
        if self._known_git:
            return
        done = self._git.run("version", timeout=self._config.timeout)
        found = re.match(rb"git version (\d+)\.(\d+)", done.out)
        if not found or (int(found[1]), int(found[2])) < OLDEST_GIT:
            said = done.out.decode("utf-8", "replace").strip()[:100] or "nothing"
            raise SourceError(f"git says of itself: {said}", hint="Herdsman needs git 2.31 or later")
        self._known_git = True
