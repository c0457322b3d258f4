"""When a periodic job launches next.

A cron expression has five fields, six with a year at the end, or seven with seconds in front as well, or is a word
such as `@daily`. cronsim walks the plain part of it on a clock on the wall; years, the nearest working day (`15W`) and
the choice between days of the month and days of the week are settled here, and so is the time zone, as Nomad documents
it: what falls into the hour skipped in spring is skipped, what falls into the hour repeated in autumn runs twice.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from herdsman.devnomad.structs.errors import quoted
from herdsman.devnomad.structs.shapes import Json

_WORDS = {
    "@yearly": "0 0 0 1 1 * *",
    "@annually": "0 0 0 1 1 * *",
    "@monthly": "0 0 0 1 * * *",
    "@weekly": "0 0 0 * * 0 *",
    "@daily": "0 0 0 * * * *",
    "@midnight": "0 0 0 * * * *",
    "@hourly": "0 0 * * * * *",
}
_FIELDS = ("second", "minute", "hour", "day-of-month", "month", "day-of-week", "year")
_FIRST_YEAR, _LAST_YEAR = 1970, 2099
_NAME = re.compile(r"[a-z]{4,}", re.IGNORECASE)
_WORKDAY = re.compile(r"(\d{1,2})W", re.IGNORECASE)
_MANY_STEPS = 100_000
_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001  a clock on the wall has no zone


class CronError(ValueError):
    """An expression that cannot be read; `str()` names the field."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """One plain expression (seconds first), perhaps only where its day is the nearest working day to `workday`."""

    expression: str
    workday: int = 0

    def allows(self, moment: datetime) -> bool:
        return not self.workday or moment.day == _nearest_workday(moment.year, moment.month, self.workday)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression, read: it launches wherever one of its walks does, in its years."""

    walks: tuple[_Walk, ...]
    years: frozenset[int]


def next_launch(periodic: Json, after: datetime) -> datetime | None:
    """The first launch after a moment (aware; so is the answer), or None if there is none."""
    if not periodic["Enabled"]:
        return None
    zone = ZoneInfo(periodic["TimeZone"] or "UTC")
    specs = [spec for spec in (periodic["Spec"], *(periodic["Specs"] or ())) if spec]
    found = [_next(read(spec), after, zone) for spec in specs]
    return min((moment for moment in found if moment is not None), default=None)


def spec_errors(periodic: Json) -> Iterator[str]:
    """Faults of a periodic block."""
    spec, specs = periodic["Spec"], periodic["Specs"] or ()
    if spec and specs:
        yield "Only cron or crons may be used"
    if not spec and not specs:
        yield "Must specify a spec"
    try:
        ZoneInfo(periodic["TimeZone"] or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = periodic["TimeZone"]
        yield f"Invalid time zone {quoted(zone)}: unknown time zone {zone}"
    if periodic["SpecType"] != "cron":
        yield f"Unknown periodic specification type {quoted(periodic['SpecType'])}"
        return
    for one in filter(None, (spec, *specs)):
        try:
            read(one)
        except CronError as e:
            yield f"Invalid cron spec {quoted(one)}: {e}"


@lru_cache(maxsize=256)
def read(expression: str) -> Schedule:
    """A cron expression's schedule; raises CronError."""
    fields = _WORDS.get(expression.strip().lower(), expression).split()
    if len(fields) < 5:
        raise CronError("missing field(s)")
    if len(fields) == 5:
        fields = ["0", *fields, "*"]
    elif len(fields) == 6:
        fields = ["0", *fields]
    *times, days, month, weekdays = (_plain(one) for one in fields[:6])
    years = _years(fields[6])
    found = [(" ".join((*times, d, month, w)), workday) for d, w, workday in _days(days, weekdays)]
    return Schedule(tuple(_Walk(plain, workday) for plain, workday in found if _comes(plain)), years)


def _plain(one: str) -> str:
    """A field in cronsim's spelling: no question mark, no long names."""
    return _NAME.sub(lambda m: m[0][:3], "*" if one == "?" else one)


def _days(days: str, weekdays: str) -> Iterator[tuple[str, str, int]]:
    """Pairs of days and weekdays that must both hold; where a field names both, either is enough."""
    restricted = [item for item in days.split(",") if not _WORKDAY.fullmatch(item)]
    workdays = [int(item[:-1]) for item in days.split(",") if _WORKDAY.fullmatch(item)]
    if weekdays != "*" and days != "*":
        yield "*", weekdays, 0
        weekdays = "*"
    if restricted:
        yield ",".join(restricted), weekdays, 0
    for day in workdays:
        if not 1 <= day <= 31:
            raise CronError(f"syntax error in day-of-month field: '{days}'")
        near = ",".join(str(other) for other in range(max(1, day - 2), min(31, day + 2) + 1))
        yield near, weekdays, day


def _comes(expression: str) -> bool:
    """Whether an expression ever holds (the 30th of February does not); raises CronError where it cannot be read."""
    *others, month, weekdays = expression.split()
    try:
        CronSim(" ".join((*others, "*", weekdays)), _MONDAY)
    except CronSimError as e:
        name = str(e).removeprefix("Bad ")
        text = expression.split()[_FIELDS.index(name)] if name in _FIELDS else expression
        raise CronError(f"syntax error in {name} field: '{text}'") from e
    try:
        CronSim(expression, _MONDAY)
    except CronSimError as e:
        if str(e).endswith("month") and not str(e).endswith("day-of-month"):
            raise CronError(f"syntax error in month field: '{month}'") from e
        return False
    return True


def _years(text: str) -> frozenset[int]:
    found: set[int] = set()
    try:
        for item in text.split(","):
            span, _, step = item.partition("/")
            first, _, last = span.partition("-")
            start = _FIRST_YEAR if span == "*" else int(first)
            single = start if not step and span != "*" else _LAST_YEAR
            end = min(int(last or single), _LAST_YEAR)
            found.update(range(start, end + 1, int(step or 1)))
    except ValueError:
        raise CronError(f"syntax error in year field: '{text}'") from None
    return frozenset(found.intersection(range(_FIRST_YEAR, _LAST_YEAR + 1)))


def _nearest_workday(year: int, month: int, day: int) -> int:
    """The weekday nearest to a day, within its month; none (0) where the month has no such day."""
    _, last = calendar.monthrange(year, month)
    if day > last:
        return 0
    match calendar.weekday(year, month, day):
        case calendar.SATURDAY:
            return day - 1 if day > 1 else 3
        case calendar.SUNDAY:
            return day + 1 if day < last else day - 2
        case _:
            return day


def _next(schedule: Schedule, after: datetime, zone: ZoneInfo) -> datetime | None:
    found = [_first(walk, schedule.years, after, zone) for walk in schedule.walks]
    return min((moment for moment in found if moment is not None), default=None)


def _first(walk: _Walk, years: frozenset[int], after: datetime, zone: ZoneInfo) -> datetime | None:
    best: datetime | None = None
    for wall in _walls(walk, years, _start(after, zone)):
        moments = _moments(wall, zone)
        # Where an hour repeats, an earlier wall time may be a later moment; the first pass never is.
        if best is not None and moments and moments[0] >= best:
            break
        later = [moment for moment in moments if moment > after]
        best = min([best, *later] if best is not None else later, default=None)
    return best


def _start(after: datetime, zone: ZoneInfo) -> datetime:
    """Where on the wall to begin: earlier where the clock is set about now, so that no repeated hour is missed."""
    local = after.astimezone(zone)
    offsets = {(after + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-3, 3)}
    return local.replace(tzinfo=None) - timedelta(hours=3 if len(offsets) > 1 else 0)


def _walls(walk: _Walk, years: frozenset[int], start: datetime) -> Iterator[datetime]:
    steps = CronSim(walk.expression, start)
    for _ in range(_MANY_STEPS):
        wall = next(steps, None)
        if wall is None:
            return
        if wall.year not in years:
            later = [year for year in years if year > wall.year]
            if not later:
                return
            steps = CronSim(walk.expression, datetime(min(later) - 1, 12, 31, 23, 59, 59))  # noqa: DTZ001
        elif not walk.allows(wall):
            steps = CronSim(walk.expression, wall.replace(hour=23, minute=59, second=59))
        else:
            yield wall


def _moments(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The moments at which a clock on the wall shows this: none, one or two."""
    passes = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return sorted({moment for moment in passes if moment.astimezone(zone).replace(tzinfo=None) == wall})
