"""Commit statuses, told to GitHub, GitLab, Gitea and Forgejo: how the host of a repository shows that a commit fares.

Who reports does not wait. A thread of its own tells the host, one status after the other; of several for one commit
that wait, only the newest is told, and none twice in a row. A host that is slow or away costs statuses, never memory
and never the loop.

A token belongs to one host, and goes to that host alone: no redirect is followed.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import tenacity
import urllib3

from herdsman.adapters.statushosts import Provider, Repo, Report, StatusHost, call, cut
from herdsman.model.writes import CommitState

__all__ = ["HostedCommitStatuses", "NotTold", "Provider", "StatusCounts", "StatusHost", "Teller"]

MOST: Final = 1000
"""Statuses that may wait, and that are remembered as told."""

ATTEMPTS: Final = 5
LONGEST_WAIT: Final = 60.0
"""Seconds; a host that wants to be left alone for longer is not told."""

_MAX_ANSWER: Final = 4096
_MAX_TOKEN: Final = 64 * 1024


# -- telling it --------------------------------------------------------------------------------------------------------


class NotTold(Exception):
    """A host did not take a status. It is *brief* where the next try may go better, after *wait* seconds."""

    def __init__(self, words: str, *, brief: bool = False, wait: float = 0.0) -> None:
        super().__init__(words)
        self.words, self.brief, self.wait = words, brief, wait


class Teller:
    """Tells one host, and waits for its answer."""

    def __init__(self, host: StatusHost, *, sleep: Callable[[float], None], hurried: Callable[[], bool]) -> None:
        self.host = host
        self._hurried = hurried
        ca = str(host.ca_file.absolute()) if host.ca_file else None
        self._pool = urllib3.PoolManager(num_pools=1, cert_reqs="CERT_REQUIRED", ca_certs=ca, retries=False)
        self._backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=10, jitter=0.5)
        self._patiently = tenacity.Retrying(
            stop=self._is_enough, wait=self._wait, retry=tenacity.retry_if_exception(_is_brief), sleep=sleep,
            reraise=True,
        )  # fmt: skip

    def tell(self, report: Report) -> None:
        """Raises `NotTold`."""
        self._patiently(self._tell, report)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _tell(self, report: Report) -> None:
        token = _token(self.host)
        wanted = call(self.host, report, token)
        try:
            answer = self._pool.request(
                "POST", wanted.url, body=wanted.body, headers=wanted.headers, redirect=False, preload_content=False,
                timeout=urllib3.Timeout(total=1.0 if self._hurried() else self.host.timeout),
            )  # fmt: skip
            try:
                text = answer.read(_MAX_ANSWER, decode_content=True).decode("utf-8", "replace")
            finally:
                answer.close()  # statuses are rare, and an answer may be longer than what is read of it
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NotTold(f"{self.host.host} cannot be reached: {_plainly(str(error), token)}", brief=True) from None
        if not 200 <= answer.status < 300:
            self._judge(answer.status, _plainly(text, token), answer.headers)

    def _judge(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        """Raises `NotTold`, but where the host says that it knows already."""
        if status == 400 and "Cannot transition status" in text:
            return  # GitLab, which has it in this state already
        name = self.host.host
        limited = status == 429 or (status == 403 and ("Retry-After" in headers or "rate limit" in text.lower()))
        if limited or status >= 500:
            wait = headers.get("Retry-After", "")
            seconds = float(wait) if wait.isascii() and wait.isdecimal() else 0.0
            raise NotTold(f"{name} answered {status}: {text}", brief=seconds <= LONGEST_WAIT, wait=seconds)
        if status in {401, 403}:
            raise NotTold(f"{name} does not accept the token for commit statuses ({status}): {text}")
        if status == 404:
            raise NotTold(f"{name} does not know the commit, or the token may not set its status (404): {text}")
        if 300 <= status < 400:
            raise NotTold(f"{name} says that the repository is elsewhere ({status}): use its new URL")
        raise NotTold(f"{name} refuses the status ({status}): {text}")

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= ATTEMPTS or self._hurried()

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(error.wait if isinstance(error, NotTold) else 0.0, self._backoff(state))


def _is_brief(error: BaseException) -> bool:
    return isinstance(error, NotTold) and error.brief


def _plainly(text: str, secret: str) -> str:
    return cut(text.replace(secret, "…"), 300)


def _token(host: StatusHost) -> str:
    if not host.token_file:
        token = host.token.strip()
    else:
        try:
            with host.token_file.open("rb") as file:
                token = file.read(_MAX_TOKEN).decode("ascii").strip()
        except (OSError, ValueError) as error:
            words = (error.strerror or "") if isinstance(error, OSError) else "it is not plain text"
            raise NotTold(f"the token in {host.token_file} cannot be read: {words.lower()}") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NotTold(f"the token for {host.host} is empty, or cannot stand in a header")
    return token


# -- the port ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """What became of reports so far; *error* is the last trouble, empty once a status was told again."""

    told: int = 0
    failed: int = 0
    dropped: int = 0
    error: str = ""


class HostedCommitStatuses:
    """`ports.CommitStatuses` for *hosts*; what is reported of other repositories is passed over.

    *warn* is told of trouble, once until it is over. `close` when done.
    """

    def __init__(
        self,
        hosts: Sequence[StatusHost],
        *,
        warn: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._closing = threading.Event()
        wait = sleep or tenacity.sleep_using_event(self._closing)
        self._tellers = {h.host: Teller(h, sleep=wait, hurried=self._closing.is_set) for h in hosts}
        self._warn = warn
        self._changed = threading.Condition()
        self._waiting: OrderedDict[tuple[Repo, str, str], Report] = OrderedDict()
        self._told: OrderedDict[tuple[Repo, str, str], Report] = OrderedDict()
        self._flying: Report | None = None
        self._counts = StatusCounts()
        self._thread: threading.Thread | None = None
        self._deadline = float("inf")

    def report(
        self,
        repo_url: str,
        commit: str,
        *,
        state: CommitState,
        description: str,
        context: str = "herdsman",
        target_url: str = "",
    ) -> None:
        """Let the host show *state*; comes back at once."""
        repo = Repo.of(repo_url)
        if repo is None or repo.host not in self._tellers or self._closing.is_set():
            return
        report = Report(repo, commit, state, description, context, target_url)
        with self._changed:
            self._enqueue(report)
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="commit-statuses", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def counts(self) -> StatusCounts:
        """How it went so far."""
        return self._counts

    def close(self, *, within: float = 5.0) -> None:
        """Tell what waits, but for no longer than *within* seconds; what is reported later is passed over."""
        with self._changed:
            self._deadline = time.monotonic() + within
            self._closing.set()
            self._changed.notify_all()
            thread = self._thread
        if thread:
            thread.join(within + 0.5)
        for teller in self._tellers.values():
            teller.close()

    def _enqueue(self, report: Report) -> None:
        subject = report.subject
        self._waiting.pop(subject, None)
        last = self._flying if self._flying and self._flying.subject == subject else self._told.get(subject)
        if last == report:
            return
        self._waiting[subject] = report
        if len(self._waiting) > MOST:
            self._waiting.popitem(last=False)
            self._counts = replace(self._counts, dropped=self._counts.dropped + 1)

    def _run(self) -> None:
        while report := self._next():
            error = ""
            try:
                self._tellers[report.repo.host].tell(report)
            except NotTold as trouble:
                error = trouble.words
            except Exception as bug:  # noqa: BLE001 - a status is not worth the thread, and words are enough
                error = f"the status of {report.commit[:12]} could not be told: {type(bug).__name__}"
            self._settle(report, error)

    def _next(self) -> Report | None:
        """The report whose turn it is; None when it is time to end."""
        with self._changed:
            while not self._waiting and not self._closing.is_set():
                self._changed.wait()
            if not self._waiting or time.monotonic() > self._deadline:
                return None
            _, self._flying = self._waiting.popitem(last=False)
            return self._flying

    def _settle(self, report: Report, error: str) -> None:
        with self._changed:
            self._flying = None
            counts = self._counts
            if error:
                self._told.pop(report.subject, None)
                self._counts = replace(counts, failed=counts.failed + 1, error=error)
            else:
                self._told[report.subject] = report
                self._told.move_to_end(report.subject)
                if len(self._told) > MOST:
                    self._told.popitem(last=False)
                self._counts = replace(counts, told=counts.told + 1, error="")
        if error and not counts.error:
            self._warn(f"commit statuses are not told: {error}")
