"""Launch times of periodic jobs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.devnomad.structs.cron import CronError, next_launch, read, spec_errors


def periodic(*specs: str, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    """A periodic block."""
    block = {"Enabled": True, "Spec": "", "Specs": list(specs), "SpecType": "cron", "TimeZone": zone}
    return block | {"ProhibitOverlap": False} | more


def launches(block: dict[str, Any], after: str, count: int = 3) -> list[str]:
    """The next launches, in UTC."""
    moment, found = datetime.fromisoformat(after).replace(tzinfo=UTC), []
    while len(found) < count and (following := next_launch(block, moment)) is not None:
        found.append(f"{following.astimezone(UTC):%Y-%m-%d %H:%M:%S}")
        moment = following
    return found


SATURDAY = "2024-03-09 12:00:00"


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ("*/15 * * * *", ["2024-03-09 12:15:00", "2024-03-09 12:30:00", "2024-03-09 12:45:00"]),
        ("*/15 * * * * *", ["2024-03-09 12:15:00", "2024-03-09 12:30:00", "2024-03-09 12:45:00"]),
        ("*/20 0 * * * * *", ["2024-03-09 12:00:20", "2024-03-09 12:00:40", "2024-03-09 13:00:00"]),
        ("@hourly", ["2024-03-09 13:00:00", "2024-03-09 14:00:00", "2024-03-09 15:00:00"]),
        ("@daily", ["2024-03-10 00:00:00", "2024-03-11 00:00:00", "2024-03-12 00:00:00"]),
        ("@weekly", ["2024-03-10 00:00:00", "2024-03-17 00:00:00", "2024-03-24 00:00:00"]),
        ("@monthly", ["2024-04-01 00:00:00", "2024-05-01 00:00:00", "2024-06-01 00:00:00"]),
        ("@yearly", ["2025-01-01 00:00:00", "2026-01-01 00:00:00", "2027-01-01 00:00:00"]),
        ("0 3 1 1 * 2030", ["2030-01-01 03:00:00"]),
        ("0 3 1 1 * 2026-2030/2", ["2026-01-01 03:00:00", "2028-01-01 03:00:00", "2030-01-01 03:00:00"]),
        ("0 0 13 * 5", ["2024-03-13 00:00:00", "2024-03-15 00:00:00", "2024-03-22 00:00:00"]),
        ("0 0 ? * MONDAY", ["2024-03-11 00:00:00", "2024-03-18 00:00:00", "2024-03-25 00:00:00"]),
        ("0 0 * * mon#2", ["2024-03-11 00:00:00", "2024-04-08 00:00:00", "2024-05-13 00:00:00"]),
        ("0 0 L * *", ["2024-03-31 00:00:00", "2024-04-30 00:00:00", "2024-05-31 00:00:00"]),
        ("0 0 15W * *", ["2024-03-15 00:00:00", "2024-04-15 00:00:00", "2024-05-15 00:00:00"]),
        ("0 0 1W,20 6 *", ["2024-06-03 00:00:00", "2024-06-20 00:00:00", "2025-06-02 00:00:00"]),
        ("0 0 31W 8,9 *", ["2024-08-30 00:00:00", "2025-08-29 00:00:00", "2026-08-31 00:00:00"]),
        ("0 0 LW 3 *", ["2024-03-29 00:00:00", "2025-03-31 00:00:00", "2026-03-31 00:00:00"]),
        ("0 0 29 feb *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00"]),
        ("0 0 30 2 *", []),
        ("0 0 1 1 * 1999", []),
        ("0 0 1 1 * 2098-9999999999", ["2098-01-01 00:00:00", "2099-01-01 00:00:00"]),
    ],
)
def test_a_schedule_launches_at_its_times(spec: str, want: list[str]) -> None:
    """Five fields, six with a year, seven with seconds, and the predefined words."""
    assert launches(periodic(spec), SATURDAY) == want


def test_of_several_schedules_the_earliest_counts() -> None:
    """A moment that two agree on is one launch."""
    want = ["2024-03-09 12:05:00", "2024-03-09 12:07:00", "2024-03-09 12:10:00", "2024-03-09 12:14:00"]
    assert launches(periodic("*/7 * * * *", "*/5 * * * *"), SATURDAY, 4) == want
    assert launches(periodic("*/7 * * * *", "*/7 * * * *"), SATURDAY, 2) == [
        "2024-03-09 12:07:00",
        "2024-03-09 12:14:00",
    ]


def test_the_single_schedule_counts_too() -> None:
    """The old key has the same meaning."""
    assert launches(periodic(Spec="@daily"), SATURDAY, 1) == ["2024-03-10 00:00:00"]


def test_a_disabled_job_never_launches() -> None:
    """Not even though it has a schedule."""
    assert next_launch(periodic("@daily", Enabled=False), datetime(2024, 1, 1, tzinfo=UTC)) is None


def test_a_schedule_is_read_in_its_time_zone() -> None:
    """Two in the morning in Madrid is one in UTC in winter, midnight in summer."""
    assert launches(periodic("0 2 * * *", zone="Europe/Madrid"), "2024-01-01 00:00:00", 1) == ["2024-01-01 01:00:00"]
    assert launches(periodic("0 2 * * *", zone="Europe/Madrid"), "2024-07-01 00:00:00", 1) == ["2024-07-02 00:00:00"]


def test_a_launch_in_the_skipped_hour_is_skipped() -> None:
    """Half past two does not come on the day the clock leaps forward."""
    want = ["2024-03-11 06:30:00", "2024-03-12 06:30:00"]
    assert launches(periodic("30 2 * * *", zone="America/New_York"), "2024-03-09 12:00:00", 2) == want


def test_a_launch_in_the_repeated_hour_runs_twice() -> None:
    """Half past one comes twice on the day the clock falls back, each time in its turn."""
    want = ["2024-11-03 05:30:00", "2024-11-03 06:30:00", "2024-11-04 06:30:00"]
    assert launches(periodic("30 1 * * *", zone="America/New_York"), "2024-11-02 12:00:00") == want
    half_hours = ["2024-11-03 05:30:00", "2024-11-03 06:00:00", "2024-11-03 06:30:00", "2024-11-04 06:00:00"]
    assert launches(periodic("*/30 1 * * *", zone="America/New_York"), "2024-11-03 05:00:00", 4) == half_hours


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ("* * * *", "missing field(s)"),
        ("@sometimes", "missing field(s)"),
        ("61 * * * *", "syntax error in minute field: '61'"),
        ("* 24 * * *", "syntax error in hour field: '24'"),
        ("* * 32 * *", "syntax error in day-of-month field: '32'"),
        ("* * 40W * *", "syntax error in day-of-month field: '40W'"),
        ("* * * 13 *", "syntax error in month field: '13'"),
        ("* * * * 9", "syntax error in day-of-week field: '9'"),
        ("* * * * * soon", "syntax error in year field: 'soon'"),
    ],
)
def test_an_error_names_the_field(spec: str, want: str) -> None:
    """What cannot be read is refused with the field it stands in."""
    with pytest.raises(CronError) as caught:
        read(spec)
    assert str(caught.value) == want
    assert list(spec_errors(periodic(spec))) == [f'Invalid cron spec "{spec}": {want}']


_ITEM = st.sampled_from(["*", "*/7", "3", "1-5", "2,4", "?"])


@given(
    st.lists(_ITEM, min_size=5, max_size=5).map(" ".join),
    st.sampled_from(["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(0, 10 * 365 * 24 * 3600),
)
def test_launches_only_go_forward(spec: str, zone: str, seconds: int) -> None:
    """The next launch is later, and the first one after any moment before it is the same."""
    moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    following = next_launch(periodic(spec, zone=zone), moment)
    assert following is not None
    assert following > moment
    between = moment + (following - moment) / 2
    assert next_launch(periodic(spec, zone=zone), between) == following
    assert next_launch(periodic(spec, zone=zone), following - timedelta(microseconds=1)) == following
