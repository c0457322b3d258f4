"""Time from the machine: the only place where it is read."""

import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` on the clock of this machine."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()
