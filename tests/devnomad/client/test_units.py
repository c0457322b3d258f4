"""Parts of the client by themselves: restart policies, health, logs, artifacts, the environment."""

import asyncio
import hashlib
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.devnomad.client import artifacts, health, logs, taskenv
from herdsman.devnomad.client.reaping import watched
from herdsman.devnomad.client.restarts import RestartTracker, Verdict
from herdsman.devnomad.clock import SECOND, rfc3339

# -- restarts ------------------------------------------------------------------------------------------------------
FAIL = {"Attempts": 2, "Interval": 10 * SECOND, "Delay": SECOND, "Mode": "fail"}


def _ends(tracker: RestartTracker, moments: list[int], *, success: bool = False) -> list[Verdict]:
    return [tracker.after_exit(success=success, now=moment * SECOND) for moment in moments]


@pytest.mark.parametrize(
    ("policy", "moments", "expected"),
    [
        (FAIL, [1, 2, 3], [True, True, False]),
        (FAIL, [1, 2, 30, 31, 32], [True, True, True, True, False]),
        (FAIL | {"Attempts": 0}, [1], [False]),
        (FAIL | {"Mode": "delay"}, [1, 2, 3, 4], [True, True, True, True]),
        (FAIL | {"Mode": "delay", "Attempts": 0}, [1, 2], [True, True]),
    ],
    ids=["attempts run out", "a new interval", "none allowed", "delayed", "delayed from the first"],
)
def test_restarts_follow_the_policy(policy: dict[str, Any], moments: list[int], expected: list[bool]) -> None:
    """So many attempts in an interval, then the task fails or waits."""
    verdicts = _ends(RestartTracker(policy, runs_once=False), [100 + moment for moment in moments])

    assert [verdict.restart for verdict in verdicts] == expected
    assert all(verdict.failed is not verdict.restart for verdict in verdicts)


def test_a_delay_is_spread() -> None:
    """A restart waits for its delay and up to a quarter more; past the attempts, for the rest of the interval too."""
    verdicts = _ends(RestartTracker(FAIL | {"Mode": "delay"}, runs_once=False), [100, 101, 102])

    assert all(SECOND <= verdict.delay <= 1.25 * SECOND for verdict in verdicts[:2])
    assert 9 * SECOND <= verdicts[2].delay <= 1.25 * 9 * SECOND
    assert verdicts[2].reason == "Exceeded allowed attempts, applying a delay"


@pytest.mark.parametrize("runs_once", [True, False])
def test_a_good_end_is_an_end_only_where_it_is_meant(*, runs_once: bool) -> None:
    """A batch task that ends well is done; a service is started again."""
    (verdict,) = _ends(RestartTracker(FAIL, runs_once=runs_once), [1], success=True)
    assert (verdict.restart, verdict.failed) == (not runs_once, False)


def test_what_cannot_succeed_is_not_tried_again() -> None:
    """An error that another try cannot mend ends the task at once."""
    verdict = RestartTracker(FAIL, runs_once=False).after_failure(recoverable=False, now=1, error="no way")
    assert verdict == Verdict(restart=False, reason="Error was unrecoverable: no way", failed=True)


@given(st.integers(0, 5), st.lists(st.integers(0, 3), max_size=30))
def test_never_more_attempts_than_allowed(attempts: int, gaps: list[int]) -> None:
    """However a task ends, within one interval it is not restarted more often than its policy allows."""
    policy = FAIL | {"Attempts": attempts}
    tracker, now, restarts = RestartTracker(policy, runs_once=False), 1000 * SECOND, []
    for gap in gaps:
        now += gap * SECOND
        verdict = tracker.after_exit(success=False, now=now)
        if not verdict.restart:
            break
        restarts.append(now)
    for start in restarts:
        inside = [moment for moment in restarts if start <= moment <= start + policy["Interval"]]
        assert len(inside) <= 2 * attempts


# -- health --------------------------------------------------------------------------------------------------------
STRATEGY = {"MinHealthyTime": 10 * SECOND, "HealthyDeadline": 60 * SECOND}


def _task(name: str = "t", **lifecycle: Any) -> dict[str, Any]:
    return {"Name": name, "Lifecycle": lifecycle or None}


def _state(state: str = "running", since: int | None = 100, *, failed: bool = False) -> dict[str, Any]:
    started = None if since is None else rfc3339(since * SECOND)
    return {"State": state, "Failed": failed, "StartedAt": started}


@pytest.mark.parametrize(
    ("tasks", "states", "now", "checks", "expected"),
    [
        ([_task()], {"t": _state()}, 109, 0, None),
        ([_task()], {"t": _state()}, 110, 0, True),
        ([_task()], {"t": _state()}, 110, 105, None),
        ([_task()], {"t": _state()}, 115, 105, True),
        ([_task()], {"t": _state()}, 159, None, None),
        ([_task()], {"t": _state()}, 160, None, False),
        ([_task()], {"t": _state("pending", None)}, 159, 0, None),
        ([_task()], {"t": _state("pending", None)}, 160, 0, False),
        ([_task()], {"t": _state("dead", failed=True)}, 101, 0, False),
        ([_task()], {}, 101, 0, None),
        ([_task(), _task("p", Hook="prestart")], {"t": _state(), "p": _state("dead")}, 110, 0, True),
        ([_task(), _task("p", Hook="prestart")], {"t": _state(), "p": _state()}, 110, 0, None),
        ([_task(), _task("s", Hook="prestart", Sidecar=True)], {"t": _state(), "s": _state("dead")}, 110, 0, None),
        ([_task(), _task("s", Hook="prestart", Sidecar=True)], {"t": _state(), "s": _state()}, 110, 0, True),
        ([_task(), _task("e", Hook="poststop")], {"t": _state(), "e": _state("pending", None)}, 110, 0, True),
    ],
)
def test_health_is_judged(
    tasks: list[dict[str, Any]], states: dict[str, Any], now: int, checks: int | None, expected: bool | None
) -> None:
    """Healthy is who runs for long enough with passing checks; unhealthy who failed, or whose time is up."""
    passing = None if checks is None else checks * SECOND
    reading = health.read(
        {"Tasks": tasks}, states, strategy=STRATEGY, since=100 * SECOND, now=now * SECOND, checks_pass_since=passing
    )
    assert reading.healthy is expected
    assert bool(reading.reason) is (expected is False)
    if expected is None:
        assert now * SECOND < reading.again <= 160 * SECOND


# -- logs ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte is a hundred bytes."""
    monkeypatch.setattr(logs, "_MB", 100)


def _read(folder: Path, **options: Any) -> bytes:
    async def collect() -> bytes:
        return b"".join([chunk.data async for chunk in logs.read_log(folder, "t", "stdout", **options) if chunk])

    return asyncio.run(collect())


@pytest.mark.usefixtures("small")
def test_logs_rotate(tmp_path: Path) -> None:
    """A full file is followed by the next; the oldest go when there are too many; what is left reads as one."""
    writer = logs.LogWriter(tmp_path, "t", {"MaxFiles": 3, "MaxFileSizeMB": 1})
    text = b"".join(b"%09d\n" % number for number in range(45))
    for start in range(0, len(text), 70):
        writer.write("stdout", text[start : start + 70])
    writer.close()

    assert [file.index for file in logs.log_files(tmp_path, "t", "stdout")] == [2, 3, 4]
    assert _read(tmp_path) == text[200:]
    assert _read(tmp_path, offset=30, from_end=True) == text[-30:]
    assert _read(tmp_path, offset=150) == text[350:]
    assert _read(tmp_path, offset=10_000) == b""
    assert _read(tmp_path, offset=10_000, from_end=True) == text[200:]


@pytest.mark.usefixtures("small")
def test_a_new_writer_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """After a restart the last file is filled up first."""
    for word in (b"one", b"two"):
        writer = logs.LogWriter(tmp_path, "t", None)
        writer.write("stdout", word)
        writer.close()
    assert _read(tmp_path) == b"onetwo"
    assert len(logs.log_files(tmp_path, "t", "stdout")) == 1


def test_a_disabled_log_writes_nothing(tmp_path: Path) -> None:
    """Where logs are disabled there are no files."""
    writer = logs.LogWriter(tmp_path, "t", {"Disabled": True})
    writer.touch()
    writer.write("stdout", b"x")
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(0, 400))
def test_a_log_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], offset: int) -> None:
    """From any offset on, a log reads as what was written."""
    folder = tmp_path_factory.mktemp("log")
    writer = logs.LogWriter(folder, "t", None)
    for piece in pieces:
        writer.write("stdout", piece)
    writer.close()
    whole = b"".join(pieces)
    assert _read(folder, offset=offset) == whole[offset:]
    assert _read(folder, offset=offset, from_end=True) == whole[max(len(whole) - offset, 0) :]


# -- artifacts -----------------------------------------------------------------------------------------------------
def _artifact(source: Path | str, **more: Any) -> dict[str, Any]:
    return {"GetterSource": str(source), "GetterOptions": None, "GetterMode": "any", "RelativeDest": "local/"} | more


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A directory with a file, archives of it, and a directory."""
    folder = tmp_path / "sources"
    (folder / "dir").mkdir(parents=True)
    (folder / "dir" / "inner").write_text("inner")
    (folder / "file").write_text("text")
    with tarfile.open(folder / "all.tar.gz", "w:gz") as tar:
        tar.add(folder / "file", "file")
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "file", "file")
    return folder


@pytest.mark.parametrize(
    ("source", "more", "found"),
    [
        ("file", {}, {"local/file"}),
        ("file", {"GetterMode": "file", "RelativeDest": "local/other"}, {"local/other"}),
        ("dir", {}, {"local/inner"}),
        ("all.tar.gz", {}, {"local/file"}),
        ("all.zip", {}, {"local/file"}),
        ("all.zip", {"GetterMode": "file", "RelativeDest": "local/a.zip"}, {"local/a.zip"}),
        ("all.zip", {"GetterOptions": {"archive": "false"}}, {"local/all.zip"}),
    ],
)
def test_artifacts_are_brought(
    sources: Path, tmp_path: Path, source: str, more: dict[str, Any], found: set[str]
) -> None:
    """Files and directories are copied, archives unpacked unless somebody minds."""
    root = tmp_path / "task"
    artifacts.fetch(_artifact(sources / source, **more), root)

    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == found


def test_artifacts_by_file_url(sources: Path, tmp_path: Path) -> None:
    """`file://` and `file::` name local paths as well."""
    for number, source in enumerate((f"file://{sources / 'file'}", f"file::{sources / 'file'}")):
        root = tmp_path / str(number)
        artifacts.fetch(_artifact(source), root)
        assert (root / "local" / "file").read_text() == "text"


def test_checksums_are_verified(sources: Path, tmp_path: Path) -> None:
    """The right checksum passes, a wrong one and an unknown kind do not."""
    good = hashlib.sha256(b"text").hexdigest()
    artifacts.fetch(_artifact(sources / "file", GetterOptions={"checksum": f"sha256:{good}"}), tmp_path)
    for wrong in (f"sha256:{good[:-1]}x", f"sha257:{good}", good):
        with pytest.raises(artifacts.FetchError, match="checksum"):
            artifacts.fetch(_artifact(sources / "file", GetterOptions={"checksum": wrong}), tmp_path)


@pytest.mark.parametrize(
    ("source", "more", "complaint"),
    [
        ("https://example.org/x", {}, "only takes artifacts from local paths"),
        ("git::https://example.org/x", {}, "only takes artifacts from local paths"),
        ("/no/such/file", {}, "no such file"),
        ("file", {"RelativeDest": "../../out"}, "escapes"),
    ],
)
def test_artifacts_that_cannot_be_had(
    sources: Path, tmp_path: Path, source: str, more: dict[str, Any], complaint: str
) -> None:
    """What is not local, not there, or would land outside is refused."""
    where = sources / source if "/" not in source else source
    with pytest.raises(artifacts.FetchError, match=complaint):
        artifacts.fetch(_artifact(where, **more), tmp_path / "task")


# -- the rest ------------------------------------------------------------------------------------------------------
@pytest.fixture
def node() -> dict[str, Any]:
    """A node to interpolate from."""
    return {
        "ID": "n1",
        "Name": "devnomad",
        "Datacenter": "dc1",
        "NodeClass": "big",
        "NodePool": "default",
        "Attributes": {"kernel.name": "linux"},
        "Meta": {"rack": "r1"},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${NOMAD_TASK_NAME}-${node.datacenter}", "t-dc1"),
        ("${attr.kernel.name}/${meta.rack}/${node.class}", "linux/r1/big"),
        ("${env[\"NOMAD_TASK_NAME\"]} ${env['NOMAD_TASK_NAME']} ${env.NOMAD_TASK_NAME}", "t t t"),
        ("${unknown} $PLAIN ${attr.none}", "${unknown} $PLAIN ${attr.none}"),
    ],
)
def test_texts_are_interpolated(node: dict[str, Any], text: str, expected: str) -> None:
    """Known names are filled in, unknown ones stay as they stand."""
    env = {"NOMAD_TASK_NAME": "t"}
    assert taskenv.interpolate(text, env, node) == expected
    assert taskenv.interpolate_all({"a": [text], "n": 1}, env, node) == {"a": [expected], "n": 1}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["+1 100", "+2 200", "-1"], {2: "200"}),
        (["+1 100\n", "-1\n", "+1 300\n"], {1: "300"}),
        (["-9", "", "garbage", "+x 1"], {}),
    ],
)
def test_comings_and_goings_add_up(lines: list[str], expected: dict[int, str]) -> None:
    """The list of process groups is what came and did not go; lines that were cut off count for nothing."""
    assert watched(lines) == expected
