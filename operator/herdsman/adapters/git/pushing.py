"""A push, and what its answer means for who asked: done, somebody was faster, refused, not let in, or nobody knows.

A push is a compare-and-set. It goes through only where the remote still is at the commit that the new one was built on
(or has no such branch, where one is to be made), and the new one descends from that: so nothing is ever overwritten,
and what somebody took out of the branch by force does not come back with the next write.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from herdsman.adapters.git.command import Access, Done, Git, Late
from herdsman.adapters.git.failures import explain, said_last
from herdsman.adapters.git.orders import NOTHING_CHANGED


class Verdict(Enum):
    """What a push came to."""

    DONE = auto()
    RACED = auto()
    REFUSED = auto()
    FORBIDDEN = auto()
    AWAY = auto()
    """The remote was not reached, or has not taken anything."""
    BROKEN = auto()
    """The connection broke: it may have been carried out or not."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """The verdict, and the words for a reader where it is not good."""

    verdict: Verdict
    message: str = ""
    hint: str = ""


_LOST: Final = re.compile(
    r"lock|but expected|old value|already exists|failed to update ref|fetch first|non-fast-forward|stale|reference"
)
"""What a server says when two pushes meet: the second finds the branch locked, or moved."""

_NOT_LET_IN: Final = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Access denied"
    r"|Permission denied|Permission to .* denied|marked as read.only|not allowed to (?:push|upload)|write access"
    r"|Host key verification failed"
)
_NOT_REACHED: Final = re.compile(
    r"[Cc]ould not resolve|unable to look up|[Cc]onnection refused|[Ff]ailed to connect|[Cc]ouldn't connect"
    r"|unreachable|No route to host|connect to (?:host|address)|returned error: (?:404|429|50[234])|not found"
    r"|certificate|not appear to be a git repository|does not exist|too slow connecting"
)
_TOO_MUCH: Final = re.compile(r"HTTP 413|returned error: 413")

_MAX_WORDS: Final = 600

PATIENCE: Final = 2
"""A push may take so many times as long as a look at the remote: somebody waits, and specs are small."""


@dataclass(frozen=True, slots=True)
class Pusher:
    """Pushes from the repository *repo* to the one that is called *place*."""

    git: Git
    repo: Path
    place: str
    timeout: float

    def push(self, oid: str, *, to: str, over: str, access: Access) -> Pushed:
        """Let the branch *to* be the commit *oid*, which descends from *over*; an empty *over* is no branch yet."""
        try:
            done = self.git.run(
                "push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
                f"--force-with-lease={to}:{over}", "origin", f"{oid}:{to}",
                repo=self.repo, access=access, timeout=PATIENCE * self.timeout,
            )  # fmt: skip
        except Late as error:
            return Pushed(Verdict.BROKEN, error.message, error.hint)
        return judge(done, self.place)


def judge(done: Done, place: str) -> Pushed:
    """What a push that ended as *done* came to."""
    if done.ok:
        return Pushed(Verdict.DONE)
    for line in done.out.decode("utf-8", "replace").splitlines():
        if line.startswith("!"):
            return _turned_away(line.rpartition("\t")[2], done, place)
    return _failed(done, place)


def _turned_away(summary: str, done: Done, place: str) -> Pushed:
    """The remote was reached, and one branch was all that was to change."""
    reason = summary.partition("] ")[2].strip().strip("()")
    if summary.startswith("[rejected]") or (summary.startswith("[remote rejected]") and _LOST.search(reason)):
        return Pushed(Verdict.RACED, f"{place} was changed by others all the time", "try again")
    if summary.startswith("[remote failure]"):
        return Pushed(Verdict.BROKEN, f"{place} did not say what became of the commit", "it is looked up")
    words = server_words(done.err)
    said = f"{reason}: {words}" if words else reason
    if "unpack" in said:
        return Pushed(Verdict.AWAY, f"{place} could not store the commit: {said}", "has its disk room?")
    return Pushed(
        Verdict.REFUSED,
        f"{place} refuses the commit, {NOTHING_CHANGED}: {said}",
        "is the branch protected, or a rule for commits not kept?",
    )


def _failed(done: Done, place: str) -> Pushed:
    """It did not come to a word about the branch."""
    error = explain(done, place)
    if _TOO_MUCH.search(done.err):
        return Pushed(Verdict.REFUSED, f"{place} does not take as much at once, {NOTHING_CHANGED}", "write less")
    if _NOT_LET_IN.search(done.err):
        words = server_words(done.err) or said_last(done.err)
        return Pushed(
            Verdict.FORBIDDEN,
            f"{place} does not let Herdsman write, {NOTHING_CHANGED}: {words}",
            "the token or key may have expired, or lack the right to write",
        )
    verdict = Verdict.AWAY if _NOT_REACHED.search(done.err) else Verdict.BROKEN
    return Pushed(verdict, error.message, error.hint)


def server_words(err: str) -> str:
    """What the server itself said, in one line that can be printed."""
    lines = (line.removeprefix("remote:").strip() for line in err.splitlines() if line.startswith("remote:"))
    text = " ".join("".join(c if c.isprintable() else " " for c in line) for line in lines)
    text = " ".join(text.split())
    return f"{text[:_MAX_WORDS]}…" if len(text) > _MAX_WORDS else text
