"""Specs written to Git: a request becomes a commit of its own, authored by who asked, pushed before it is answered.

There is no checkout. Commits are made in a bare mirror (`drafting`), pushed as a compare-and-set (`pushing`), and built
anew where somebody else was faster (`carrying`). Who comes while a push is under way waits; then all that wait go
together, as separate commits of one push: a hundred callers cost hardly more than one.

A request is carried out once, however often it is asked for. Its ID is the last line of its commit's message, so every
writer to the branch finds it there, in a process on another machine too.

Where the remote is away, a request is refused and nothing is changed; or, with *keep_unpushed*, it is kept on disk and
answered as not pushed. `flush` carries out what waits, in order, and so does every write; `run` calls it in time.
"""

import re
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from herdsman.adapters.git.carrying import Carrier
from herdsman.adapters.git.command import Git
from herdsman.adapters.git.config import GitConfig
from herdsman.adapters.git.drafting import Maker, Trees, View
from herdsman.adapters.git.mirror import PATIENCE, Mirror
from herdsman.adapters.git.objects import Damaged, Objects
from herdsman.adapters.git.orders import Options, Order
from herdsman.adapters.git.outbox import Outbox, Records
from herdsman.adapters.git.pushing import Pusher
from herdsman.adapters.git.upstream import DEPTH, Upstream, tree_of
from herdsman.core.messages import person
from herdsman.core.retry import backoff
from herdsman.errors import Conflict, Refused, SettingsError, SourceError, Unavailable, UsageError
from herdsman.model.writes import Author, WriteRequest, Written, check_path, check_request
from herdsman.ports import Clock

_COMMIT: Final = re.compile("[0-9a-f]{7,64}")

COMMITTER: Final = Author("Herdsman", "herdsman@localhost")

MOST: Final = 100
"""Requests that go together."""

FRESH: Final = 5.0
"""Seconds for which what is known of the branch is good enough to be read."""

STALE: Final = 30.0
"""Seconds until a look for a reader that failed is repeated."""

TIDY: Final = 50
"""Rounds between two looks after the mirror."""


class GitWriter:
    """`ports.SpecWriter` for the branch that *config* names. *cache* may be lost, *state* should not be.

    *warn* is told what a person should know of; *git* is the program. `close` when done.
    """

    def __init__(
        self,
        config: GitConfig,
        *,
        clock: Clock,
        cache: Path,
        state: Path,
        committer: Author = COMMITTER,
        keep_unpushed: bool = False,
        pull_requests: bool = False,
        warn: Callable[[str], None] = lambda _: None,
        git: str = "git",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if config.verify and not pull_requests:
            raise SettingsError(
                "signatures are demanded of this source, and Herdsman does not sign what it writes",
                hint="let it write pull requests, which a person merges with a signature",
            )
        folder = _folder(config)
        self._config, self._clock = config, clock
        self._options = Options(config.path, keep_unpushed, pull_requests)
        self._git = Git(cache.absolute() / folder / "home", program=git)
        self._mirror = Mirror(
            cache.absolute() / folder, self._git, place=config.shown, timeout=config.timeout, warn=warn, depth=DEPTH
        )
        self._upstream = Upstream(config, self._git, self._mirror)
        self._outbox = Outbox(state.absolute() / folder)
        limit, repo = PATIENCE * config.timeout, self._mirror.repo
        self._carrier = Carrier(
            self._upstream,
            self._mirror.objects,
            Maker(self._git, repo, person(committer), config.shown, limit),
            Pusher(self._git, repo, config.shown, config.timeout),
            records=Records(state.absolute() / folder / "requests"),
            outbox=self._outbox,
            options=self._options,
            warn=warn,
            pause=pause,
        )
        self._reading = Objects(self._git, repo, timeout=config.timeout)
        self._read_trees, self._read_lock = Trees(self._reading), threading.Lock()
        self._turn, self._waiting_lock = threading.Lock(), threading.Lock()
        self._waiting: list[Order] = []
        self._rounds = 0
        self._look_at = float("-inf")

    # -- the port --

    def write(self, request: WriteRequest) -> Written:
        """Carry *request* out: all of it, or nothing.

        Raises `UsageError` and `Conflict`, `Refused` and `Forbidden` with the remote's words, and `Unavailable`.
        """
        check_request(request)
        self._check_not_given_up(request.request_id)
        order = Order(request, int(self._clock.now().timestamp()))
        with self._waiting_lock:
            self._waiting.append(order)
        with self._turn:
            while order.open:
                self._serve()
        if order.error:
            raise order.error
        assert order.written
        return order.written

    def read(self, path: str) -> bytes | None:
        """A file as it is in the newest state that is known; None where there is none. Raises `Unavailable`."""
        check_path(path)
        self._refresh()
        with self._read_lock:
            try:
                return self._read(path)
            except Damaged:
                self._reading.close()
        return self._read_repaired(path)

    def read_at(self, path: str, revision: str) -> bytes | None:
        """A file at an earlier commit of the branch, by its ID or the first digits of it. Raises `UsageError`."""
        check_path(path)
        self._refresh()
        unknown = UsageError(
            f"the commit {revision[:64]!r} is not known here",
            hint=f"name one of the last {DEPTH} commits, by at least 7 digits of its ID",
        )
        if not _COMMIT.fullmatch(revision):
            raise unknown
        with self._read_lock:
            found = self._git.run(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}",
                repo=self._mirror.repo, timeout=self._config.timeout,
            )  # fmt: skip
            try:
                if not found.ok:
                    raise unknown
                tree = tree_of(found.out.decode().strip(), self._reading)
                return View(self._read_trees, tree, self._config.path).read(path)
            except Damaged:
                self._reading.close()
                raise unknown from None

    def describe(self) -> str:
        """URL, branch and path, without credentials."""
        return f"{self._config.place}{' by pull requests' if self._options.pull_requests else ''}"

    # -- what waits for the remote --

    def pending(self) -> int:
        """How many requests wait for the remote."""
        return len(self._outbox.load())

    def flush(self) -> int:
        """Carry out what waits for the remote; the value is how many still do."""
        with self._turn:
            self._serve()
        return self.pending()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Carry out what waits for the remote whenever that is possible, until *stopped* answers true."""
        failures, due, slice_ = 0, 0.0, threading.Event()
        while not stopped():
            if self._clock.monotonic() >= due:
                failures = failures + 1 if self.pending() and self.flush() else 0
                due = self._clock.monotonic() + backoff(failures + 1, 0.5)
            slice_.wait(0.2)

    def close(self) -> None:
        """End every process; what is under way fails."""
        self._git.stopped = lambda: True
        with self._turn:
            self._mirror.objects.close()
        with self._read_lock:
            self._reading.close()

    # -- turns --

    def _serve(self) -> None:
        """Carry out all that wait, of this process and of the outbox."""
        with self._waiting_lock:
            taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            with self._mirror.locked():
                self._tidy()
                self._carrier.carry_out([*self._kept(), *taken])
        except SourceError as error:
            for order in taken:
                if order.open:
                    order.error = Unavailable(f"{error.message}; nothing was changed", hint=error.hint)
        finally:
            for order in taken:  # nobody waits for ever, not even where there is a bug
                if order.open:
                    order.error = Unavailable("the write was broken off", hint="repeat it with the same request ID")
            self._look_at = self._clock.monotonic() + (FRESH if self._upstream.fresh else STALE)

    def _kept(self) -> list[Order]:
        return [Order(kept.request, kept.at, kept=kept.name, asked=False) for kept in self._outbox.load()]

    def _tidy(self) -> None:
        if self._rounds % TIDY == 0:
            self._mirror.tidy()
        self._rounds += 1

    def _check_not_given_up(self, request_id: str) -> None:
        refusal = self._outbox.refusal(request_id)
        if refusal:
            kind = Conflict if refusal.conflict else Refused
            raise kind(refusal.message, hint="this request was given up; repeat it under a new request ID")

    # -- reading --

    def _refresh(self) -> None:
        """Look at the remote, if that is due, and if nobody is at it anyway."""
        known = bool(self._carrier.tip)
        if known and self._clock.monotonic() < self._look_at:
            return
        if not self._turn.acquire(blocking=not known):
            return
        try:
            if known and self._clock.monotonic() < self._look_at:
                return
            self._look()
        except SourceError as error:
            if not self._carrier.tip:
                raise Unavailable(error.message, hint=error.hint) from error
        finally:
            self._turn.release()

    def _look(self) -> None:
        self._look_at = self._clock.monotonic() + STALE
        with self._mirror.locked():
            self._tidy()
            self._carrier.look(self._kept())
        self._look_at = self._clock.monotonic() + FRESH

    def _read(self, path: str) -> bytes | None:
        tree = tree_of(self._carrier.tip, self._reading)
        return View(self._read_trees, tree, self._config.path).read(path)

    def _read_repaired(self, path: str) -> bytes | None:
        """The mirror may be another by now; or it is damaged, which the next look puts right."""
        with self._read_lock:
            try:
                return self._read(path)
            except Damaged:
                self._upstream.damaged()
                self._carrier.tip = ""
                raise Unavailable(
                    f"the mirror of {self._config.shown} is damaged", hint="it is fetched again: repeat it"
                ) from None


def _folder(config: GitConfig) -> str:
    """A directory name: readable, and another for each repository and branch."""
    name = "".join(c if c.isalnum() else "-" for c in config.shown.rpartition("/")[2].removesuffix(".git"))
    digest = sha256("\0".join((config.url, str(config.ref), config.path)).encode()).hexdigest()
    return f"write-{name[:40]}-{digest[:16]}"
