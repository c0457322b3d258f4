"""Sync windows: when updates that replace allocations may run."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.windows import is_open, next_opening
from herdsman.model.desired import Window

HOUR = 3600.0
NIGHT = Window("0 22 * * *", 2 * HOUR)
BERLIN = Window("0 22 * * *", 2 * HOUR, "Europe/Berlin")
FRIDAY = Window("0 0 * * FRI", 24 * HOUR, deny=True)


def at(text: str) -> datetime:
    """A time in UTC; 2026-01-01 is a Thursday."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OPEN: list[tuple[list[Window], str, bool]] = [
    ([], "2026-01-01T22:30", False),
    ([NIGHT], "2026-01-01T21:59:59", False),
    ([NIGHT], "2026-01-01T22:00", True),
    ([NIGHT], "2026-01-01T22:00:30", True),
    ([NIGHT], "2026-01-01T23:59:59", True),
    ([NIGHT], "2026-01-02T00:00", False),
    ([BERLIN], "2026-01-01T20:59", False),
    ([BERLIN], "2026-01-01T21:00", True),
    ([BERLIN], "2026-07-01T20:00", True),
    ([BERLIN], "2026-07-01T22:00", False),
    ([NIGHT, BERLIN], "2026-01-01T21:30", True),
    ([FRIDAY], "2026-01-01T12:00", True),
    ([FRIDAY], "2026-01-02T12:00", False),
    ([NIGHT, FRIDAY], "2026-01-02T22:30", False),
    ([NIGHT, FRIDAY], "2026-01-01T22:30", True),
    ([FRIDAY, NIGHT], "2026-01-01T12:00", False),
    ([Window("0 12 * * *", 30 * HOUR)], "2026-01-01T11:00", True),
    ([Window("0 0 29 2 *", HOUR)], "2028-02-29T00:30", True),
]


@pytest.mark.parametrize(("windows", "now", "expected"), OPEN)
def test_when_a_window_is_open(windows: list[Window], now: str, expected: bool) -> None:
    """Inside an allowing one and outside every denying one; where only times are denied, the rest is open."""
    assert is_open(windows, at(now)) is expected


NEXT: list[tuple[list[Window], str, str | None]] = [
    ([], "2026-01-01T12:00", None),
    ([NIGHT], "2026-01-01T12:00", "2026-01-01T22:00"),
    ([NIGHT], "2026-01-01T22:00", "2026-01-02T22:00"),
    ([BERLIN], "2026-01-01T12:00", "2026-01-01T21:00"),
    ([NIGHT, BERLIN], "2026-01-01T12:00", "2026-01-01T21:00"),
    ([FRIDAY], "2026-01-01T12:00", None),
]


@pytest.mark.parametrize(("windows", "now", "expected"), NEXT)
def test_when_the_next_window_opens(windows: list[Window], now: str, expected: str | None) -> None:
    """The soonest opening of any allowing window, whatever its time zone."""
    opening = next_opening(windows, at(now))

    assert opening == (at(expected) if expected is not None else None)


minutes = st.integers(0, 400 * 24 * 60).map(lambda n: at("2026-01-01T00:00") + timedelta(minutes=n))
hours = st.integers(0, 23)


@given(hours, st.integers(5, 300), minutes)
def test_a_window_in_utc_is_open_as_long_as_it_says(hour: int, length: int, now: datetime) -> None:
    """Open from its opening for its duration, and at no other time."""
    window = Window(f"0 {hour} * * *", length * 60.0)
    since = (now - now.replace(hour=hour, minute=0)) % timedelta(days=1)

    assert is_open([window], now) is (since < timedelta(minutes=length))


@given(hours, st.integers(5, 300), minutes)
def test_what_opens_next_is_open_then_and_was_closed_before(hour: int, length: int, now: datetime) -> None:
    """The words that say when it opens are true."""
    window = Window(f"0 {hour} * * *", length * 60.0)
    opening = next_opening([window], now)

    assert opening is not None
    assert opening > now
    assert is_open([window], opening)
    assert not is_open([window], opening - timedelta(seconds=1))


# -- days on which the clock is changed --------------------------------------------------------------------------------

SPRING, AUTUMN = "2026-03-29", "2026-10-25"  # at 01:00 UTC in Berlin
EARLY = Window("0 1 * * *", 4 * HOUR, "Europe/Berlin")
HALF_PAST_TWO = Window("30 2 * * *", HOUR, "Europe/Berlin")

CHANGED: list[tuple[Window, datetime, bool]] = [
    (EARLY, at("2026-03-28T23:59"), False),
    (EARLY, at(f"{SPRING}T00:00"), True),
    (EARLY, at(f"{SPRING}T02:59"), True),
    (EARLY, at(f"{SPRING}T04:00"), False),
    (EARLY, at("2026-10-24T23:00"), True),
    (EARLY, at(f"{AUTUMN}T02:59"), True),
]


@pytest.mark.parametrize(("window", "now", "expected"), CHANGED)
def test_a_window_opens_by_the_clock_on_the_wall(window: Window, now: datetime, expected: bool) -> None:
    """Its schedule is in its time zone, also on the day on which the clock is changed."""
    assert is_open([window], now) is expected


LASTING: list[tuple[Window, datetime, bool]] = [
    (EARLY, at(f"{SPRING}T03:59"), True),
    (EARLY, at(f"{AUTUMN}T03:01"), False),
    (HALF_PAST_TWO, at(f"{AUTUMN}T00:29"), False),
    (HALF_PAST_TWO, at(f"{AUTUMN}T00:30"), True),
    (HALF_PAST_TWO, at(f"{AUTUMN}T01:05"), True),
]


@pytest.mark.parametrize(("window", "now", "expected"), LASTING)
def test_a_window_lasts_as_long_as_it_says_when_the_clock_is_changed(
    window: Window, now: datetime, expected: bool
) -> None:
    """A duration is in seconds: on no day is it an hour more or less."""
    assert is_open([window], now) is expected


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_the_zone_of_the_asker_does_not_matter(zone: str) -> None:
    """The same moment is the same moment, however it is written."""
    now = at("2026-06-01T20:30")

    assert is_open([BERLIN], now.astimezone(ZoneInfo(zone))) is is_open([BERLIN], now) is True
