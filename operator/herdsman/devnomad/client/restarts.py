"""Whether a task that ended is started again: its restart policy, as a value that remembers the attempts."""

import random
from dataclasses import dataclass
from typing import Final

from herdsman.devnomad.clock import duration_text
from herdsman.devnomad.types import Row

NO_RESTARTS: Final = "Policy allows no restarts"
WITHIN_POLICY: Final = "Restart within policy"
DELAYED: Final = "Exceeded allowed attempts, applying a delay"
_JITTER: Final = 0.25


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a task that ended."""

    restart: bool
    delay: int = 0
    reason: str = ""
    failed: bool = False


class RestartTracker:
    """The restart policy of one task."""

    def __init__(self, policy: Row, *, runs_once: bool) -> None:
        self.policy, self._runs_once = policy, runs_once
        self._count = 0
        self._since = 0

    def after_exit(self, *, success: bool, now: int) -> Verdict:
        """The task ended by itself."""
        if success and self._runs_once:
            return Verdict(restart=False)
        return self._attempt(now)

    def after_failure(self, *, recoverable: bool, now: int, error: str) -> Verdict:
        """The task could not be started."""
        if not recoverable:
            return Verdict(restart=False, reason=f"Error was unrecoverable: {error}", failed=True)
        return self._attempt(now)

    def _attempt(self, now: int) -> Verdict:
        policy = self.policy
        attempts, interval, mode = policy["Attempts"], policy["Interval"], policy["Mode"]
        if attempts == 0 and mode == "fail":
            return Verdict(restart=False, reason=NO_RESTARTS, failed=True)
        if now - self._since > interval:
            self._count, self._since = 0, now
        self._count += 1
        if self._count <= attempts:
            return Verdict(restart=True, delay=_jittered(policy["Delay"]), reason=WITHIN_POLICY)
        if mode == "fail":
            reason = f'Exceeded allowed attempts {attempts} in interval {duration_text(interval)} and mode is "fail"'
            return Verdict(restart=False, reason=reason, failed=True)
        rest = max(self._since + interval - now, 0)
        return Verdict(restart=True, delay=_jittered(policy["Delay"] + rest), reason=DELAYED)


def _jittered(delay: int) -> int:
    return delay + int(random.random() * delay * _JITTER)  # noqa: S311 - only spreads restarts
