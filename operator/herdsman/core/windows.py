"""Sync windows: when updates that replace allocations may run (`destructive: window`)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from herdsman.model.desired import Window


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether *now* is inside an allowing window and outside every denying one; where only times are denied, the rest
    is open, and where there is no window at all, nothing is."""
    allowing = [w for w in windows if not w.deny]
    denied = any(_inside(w, now) for w in windows if w.deny)
    return bool(windows) and not denied and (not allowing or any(_inside(w, now) for w in allowing))


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When an allowing window opens next, None where there is none."""
    starts = [next(CronSim(w.schedule, now.astimezone(ZoneInfo(w.time_zone)))) for w in windows if not w.deny]
    return min(starts, default=None)


def _inside(window: Window, now: datetime) -> bool:
    """Whether it opened within its duration before *now*: the first opening after that moment is in the past.

    The duration is time that passes, not what a clock on the wall shows: on the day on which that is changed, too.
    """
    began = (now.astimezone(UTC) - timedelta(seconds=window.duration)).astimezone(ZoneInfo(window.time_zone))
    return bool(next(CronSim(window.schedule, began)).astimezone(UTC) <= now)
