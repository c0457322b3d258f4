"""The branch that is written to, as far as it is known here, and the requests that its commits carried out.

What is known may be old. `fresh` says that it was seen, or written, since the work at hand began; only then is a
judgement about what stands in the branch final.
"""

import re
from typing import Final

from herdsman.adapters.git.command import Git
from herdsman.adapters.git.commits import parse_commit
from herdsman.adapters.git.config import GitConfig
from herdsman.adapters.git.mirror import PATIENCE, Mirror
from herdsman.adapters.git.objects import Objects
from herdsman.adapters.git.refs import HEADS, Named, Target
from herdsman.adapters.git.remote import Remote
from herdsman.core.messages import TRAILER, request_id
from herdsman.errors import SettingsError, SourceError

DEPTH: Final = 500
"""So many commits are there after the first look; a request that is further back is not remembered."""


class Upstream:
    """The branch that *config* names. *head* is the newest commit that is known of it, empty where there is none."""

    def __init__(self, config: GitConfig, git: Git, mirror: Mirror) -> None:
        self._named = _branch(config)
        self._config, self._git, self._mirror = config, git, mirror
        self.remote = Remote(config, git)
        self._target: Target | None = None
        self._damaged = self._doubtful = False
        self.history = History(git, mirror, timeout=config.timeout)
        self.head = ""
        self.fresh = False

    @property
    def branch(self) -> str:
        """Its full name; empty where it is the default branch, and that was not asked for yet."""
        return self._target.name if self._target else self._named

    @property
    def is_to_be_seen(self) -> bool:
        """Whether nothing can be built on what is known."""
        return self._doubtful or not (self.head and self.branch)

    def begin(self) -> None:
        """Work begins: what is known is from before."""
        self.fresh = False
        if not self.head:
            found = self._mirror.head()
            self.head = found.oid if found else ""
            self.history.learn(self.head)

    def look(self) -> None:
        """Bring *head* up to the remote. Raises `SourceError`."""
        access = self.remote.access()
        try:
            if self._target is None:
                self._target = self._ask()
            fetch = self._mirror.heal if self._damaged else self._mirror.fetch
            fetch(self._target, access)
        except SourceError:
            self._target = None  # the default branch may be another one by now
            raise
        found = self._mirror.head()
        if found is None or found.kind != "commit":
            raise SourceError(f"{self._config.shown} delivered no commit", hint="it is tried again")
        self._damaged = False
        self.moved(found.oid)
        self.history.learn(found.oid)

    def moved(self, oid: str) -> None:
        """The branch is at *oid* now."""
        self.head, self.fresh, self._doubtful = oid, True, False

    def doubt(self) -> None:
        """It must be elsewhere by now, or may be."""
        self.fresh, self._doubtful = False, True

    def damaged(self) -> None:
        """The mirror does not hold what it should: the next look makes it anew."""
        self._damaged, self.head, self.fresh = True, "", False

    def other(self, branch: str) -> str:
        """The commit that another branch of the remote is at; empty where there is none. Raises `SourceError`."""
        done = self._git.run(
            "ls-remote", "--heads", "origin", branch, access=self.remote.access(), timeout=self._config.timeout
        )
        found = re.match(rb"([0-9a-f]{40,64})\t", done.out) if done.ok else None
        return found[1].decode() if found else ""

    def _ask(self) -> Target:
        target = self.remote.ask()
        if not target.name.startswith(HEADS):
            raise SourceError(
                f"{self._config.shown} does not tell the name of its default branch", hint="name the branch to write to"
            )
        return target


def tree_of(commit: str, objects: Objects) -> str:
    """The tree of a commit. Raises `Damaged`."""
    return parse_commit(commit, next(objects.read([commit])).data).tree


def _branch(config: GitConfig) -> str:
    """The full name of the branch; empty for the default one."""
    if isinstance(config.ref, Named) and config.ref.name == "HEAD":
        return ""
    if isinstance(config.ref, Named) and config.ref.name.startswith(HEADS):
        return config.ref.name
    raise SettingsError(f"{config.ref} cannot be written to", hint="name a branch: tags and commits stay as they are")


class History:
    """Which requests commits carried out. The last line of a message alone says so: see `core.messages`."""

    def __init__(self, git: Git, mirror: Mirror, *, timeout: float) -> None:
        self._git, self._mirror, self._timeout = git, mirror, timeout
        self._revisions: dict[str, str] = {}
        self._read = ""

    def find(self, request: str) -> str:
        """The commit that carried it out; empty where none is known."""
        return self._revisions.get(request, "")

    def learn(self, head: str) -> None:
        """Read the messages of what is new up to *head*."""
        if not head or head == self._read:
            return
        messages = self._messages(head, f"^{self._read}") if self._read else None
        if messages is None:
            messages = self._messages(head) or []
        for oid, message in messages:
            request = request_id(message)
            if request:
                self._revisions.setdefault(request, oid)
        self._read = head

    def _messages(self, *revisions: str) -> list[tuple[str, str]] | None:
        """Messages that may bear the trailer, by commit, newest first; None where git does not know one of those."""
        done = self._git.run(
            "log", "-z", "--format=%H%n%B", "--encoding=UTF-8", f"--grep=^{TRAILER}: ", *revisions, "--",
            repo=self._mirror.repo, timeout=PATIENCE * self._timeout,
        )  # fmt: skip
        if not done.ok:
            return None
        parts = (part.partition("\n") for part in done.out.decode("utf-8", "replace").split("\0"))
        return [(oid, message) for oid, _, message in parts if message]
