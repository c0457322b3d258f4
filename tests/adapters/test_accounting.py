"""The folder of summaries: written whole, in the form that accounting tools know, and read back, whoever wrote it."""

import os
from datetime import date
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from herdsman import ports
from herdsman.adapters.accounting import ROWS, SummaryFolder
from herdsman.errors import StoreError
from herdsman.model.usage import Summary

EVER = date(1970, 1, 1)
SOME = Summary(
    full={"cpu_num": 3, "gpu_num": 1},
    timeseries={"date": ["2026-01-01", "2026-01-02"], "cpu_num": [1, 2], "running": [1, 1]},
    users={"ann@issuer": {"cpu_num": 2, "gpu_num": 1}, "": {"cpu_num": 1, "gpu_num": 0}},
)


def test_the_adapter_is_the_port(tmp_path: Path) -> None:
    """A type checker accepts it."""
    port: ports.Summaries = SummaryFolder(tmp_path)

    assert port.read("team", since=EVER) is None


def test_the_tables_are_as_their_readers_know_them(tmp_path: Path) -> None:
    """Three files of a namespace, with ; between columns, names in the first line and no index."""
    SummaryFolder(tmp_path).write("team", SOME)

    assert {p.name: p.read_text() for p in (tmp_path / "summaries").iterdir()} == {
        "team-full-agg.csv": "cpu_num;gpu_num\n3;1\n",
        "team-timeseries.csv": "date;cpu_num;running\n2026-01-01;1;1\n2026-01-02;2;1\n",
        "team-users-agg.csv": "owner;cpu_num;gpu_num\nann@issuer;2;1\n;1;0\n",
    }


owners = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.dictionaries(owners, st.fixed_dictionaries({"cpu_num": st.integers(0, 10**12)}), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read_back(tmp_path: Path, users: dict[str, dict[str, int]]) -> None:
    """Whatever an owner is called."""
    folder = SummaryFolder(tmp_path)
    summary = Summary({"cpu_num": 7}, {"date": ["2026-01-01"], "cpu_num": [7]}, users)

    folder.write("team", summary)

    assert folder.read("team", since=EVER) == summary


def test_what_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    """A file that says so already stays untouched, and no draft stays behind."""
    folder = SummaryFolder(tmp_path)
    folder.write("team", SOME)
    before = {p.name: p.stat().st_ino for p in (tmp_path / "summaries").iterdir()}

    folder.write("team", SOME)
    assert {p.name: p.stat().st_ino for p in (tmp_path / "summaries").iterdir()} == before
    folder.write("team", Summary({**SOME.full, "cpu_num": 4}, SOME.timeseries, SOME.users))

    after = {p.name: p.stat().st_ino for p in (tmp_path / "summaries").iterdir()}
    assert {name for name in before if after[name] != before[name]} == {"team-full-agg.csv"}
    assert after.keys() == before.keys()


def test_a_write_that_fails_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers never see half a table, and no draft stays behind."""
    folder = SummaryFolder(tmp_path)
    folder.write("team", SOME)
    before = {p.name: p.read_text() for p in (tmp_path / "summaries").iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        folder.write("team", Summary({"cpu_num": 9}, {"date": []}, {}))

    assert {p.name: p.read_text() for p in (tmp_path / "summaries").iterdir()} == before


def test_columns_of_others_are_passed_on(tmp_path: Path) -> None:
    """The set of columns is not fixed: all but date and owner are whole numbers."""
    folder = tmp_path / "summaries"
    folder.mkdir()
    (folder / "team-full-agg.csv").write_text("\ufeffcpu_num;carbon\r\n5;12\r\n")
    (folder / "team-timeseries.csv").write_text("date;queued;running\n2026-01-01;0;3\n")
    (folder / "team-users-agg.csv").write_text('owner;carbon\n"a;b";-1\n')

    assert SummaryFolder(tmp_path).read("team", since=EVER) == Summary(
        {"cpu_num": 5, "carbon": 12},
        {"date": ["2026-01-01"], "queued": [0], "running": [3]},
        {"a;b": {"carbon": -1}},
    )


@pytest.mark.parametrize(
    ("since", "days"),
    [(date(2026, 1, 20), 12), (date(2026, 1, 31), 1), (date(2027, 1, 1), ROWS), (EVER, 122)],
)
def test_recent_days_are_shown(tmp_path: Path, since: date, days: int) -> None:
    """Those since a day; where there is none, as of a table that nobody wrote for long, the last ninety rows."""
    first = date(2025, 10, 2).toordinal()
    dates = [date.fromordinal(first + n).isoformat() for n in range(122)]
    folder = SummaryFolder(tmp_path)
    folder.write("team", Summary({}, {"date": dates, "n": list(range(122))}, {}))

    found = folder.read("team", since=since)

    assert found is not None
    assert found.timeseries["date"] == dates[-days:]
    assert found.timeseries["n"] == list(range(122))[-days:]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("cpu_num\nmany\n", "line 2: cpu_num is 'many', not a whole number"),
        ("cpu_num;gpu_num\n1\n", "line 2 has another number of columns"),
        ("cpu_num\n1;2\n", "line 2 has another number of columns"),
        ('cpu_num\n"1\n', "cannot be read"),
        (b"cpu_num\n\xff\n", "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, content: str | bytes, words: str) -> None:
    """The error says which file and which line."""
    path = tmp_path / "summaries" / "team-full-agg.csv"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(StoreError, match=words) as caught:
        SummaryFolder(tmp_path).read("team", since=EVER)

    assert "team-full-agg.csv" in caught.value.message


@pytest.mark.parametrize("namespace", ["../secret", "", "a/b", "a" * 129, "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, namespace: str) -> None:
    """What is no namespace has no tables and gets none."""
    folder = SummaryFolder(tmp_path / "inside")

    assert folder.read(namespace, since=EVER) is None
    with pytest.raises(StoreError, match="cannot stand in the name of a file"):
        folder.write(namespace, SOME)
    assert list(tmp_path.iterdir()) == []
