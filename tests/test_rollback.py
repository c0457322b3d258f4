"""The way back: which commit made what, a commit that restores, and a version that is held until Git agrees."""

import pytest

from harness import Harness, fleet_document, group, job_document
from herdsman.errors import Conflict, UnknownError, UsageError
from herdsman.model.keys import Key, job_key
from herdsman.model.plans import Pin, Reason
from herdsman.model.writes import Author, FileEdit, WriteRequest, Written, digest

WEB = job_key("default", "web")
ME = Author("Ann", "ann@example.org")


class Git:
    """`ports.SpecWriter` and the past of a harness's files."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.commits: dict[str, dict[str, str | bytes]] = {}
        self.messages: list[str] = []

    def commit(self, **files: str | None) -> str:
        """A new commit with those files changed, loaded and worked off; the value is its ID."""
        for name, content in files.items():
            path = f"{name}.yaml"
            if content is None:
                del self.harness.files[path]
            else:
                self.harness.files[path] = content
        revision = f"{len(self.commits):040x}"[::-1]
        self.commits[revision] = dict(self.harness.files)
        self.harness.commit = revision
        self.harness.sync()
        return revision

    def write(self, request: WriteRequest) -> Written:
        for edit in request.edits:
            assert edit.expected == digest(self.read(edit.path)), "a write says what it found"
            if edit.content is None:
                del self.harness.files[edit.path]
            else:
                self.harness.files[edit.path] = edit.content
        self.messages.append(request.message)
        revision = f"{len(self.commits):040x}"[::-1]
        self.commits[revision] = dict(self.harness.files)
        self.harness.commit = revision
        return Written(revision)

    def read(self, path: str) -> bytes | None:
        return _bytes(self.harness.files.get(path))

    def read_at(self, path: str, revision: str) -> bytes | None:
        found = [files for commit, files in self.commits.items() if commit.startswith(revision)]
        if not found:
            raise UsageError(f"no commit {revision}")
        return _bytes(found[0].get(path))

    def describe(self) -> str:
        return "git"


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content


def web(count: int, **more: object) -> str:
    """The job, with so many allocations."""
    return job_document("web", TaskGroups=[group(count=count)], **more)


def count(harness: Harness, key: Key = WEB) -> int:
    """How many allocations the live job wants."""
    return int(harness.nomad.jobs[key].body["TaskGroups"][0]["Count"])


@pytest.fixture
def git() -> Git:
    """Three commits: one, two and three allocations."""
    harness = Harness({})
    found = Git(harness)
    harness.operator._writer = found
    found.commit(fleet=fleet_document(), web=web(1))
    found.commit(web=web(2))
    found.commit(web=web(3))
    assert count(harness) == 3
    return found


def test_history_names_commits_and_versions(git: Git) -> None:
    """What was done, by which commit, to which version; the same from Nomad's own memory."""
    operator, commits = git.harness.operator, list(git.commits)

    done = operator.history(WEB)
    assert [(r.version, r.revision) for r in done] == list(zip((2, 1, 0), commits[::-1], strict=True))
    assert {r.position.path for r in done} == {"web.yaml"}
    versions = operator.versions(WEB)
    assert [(v.version, v.provenance and v.provenance.revision) for v in versions] == [
        (2, commits[2]),
        (1, commits[1]),
        (0, commits[0]),
    ]
    assert [v.current for v in versions] == [True, False, False]
    assert all(v.record for v in versions)


def test_a_version_by_somebody_else_names_no_commit(git: Git) -> None:
    """It inherits a submission, which is not believed; the last of ours is named instead."""
    harness = git.harness
    harness.operator.suspend(None, suspended=True)
    harness.nomad.foreign_edit(WEB, lambda body: body.update(Priority=77))

    trace = harness.operator.trace(WEB)
    assert trace.live.version == 3
    assert trace.live.provenance is None
    assert trace.last is not None
    assert trace.last.version == 2
    assert trace.status is not None
    with pytest.raises(UnknownError, match="no job nothing"):
        harness.operator.trace(job_key("default", "nothing"))


@pytest.mark.parametrize("by", ["version", "commit", "short commit"])
def test_a_commit_puts_it_back(git: Git, by: str) -> None:
    """The file says again what it said; the loop does the rest, and other specs stay as they are."""
    first = next(iter(git.commits))
    to = {"version": "0", "commit": first, "short commit": first[:8]}[by]

    written, files = git.harness.operator.rollback(WEB, to=to, author=ME, request_id="r")
    git.harness.sync()

    assert files == ["web.yaml"]
    assert count(git.harness) == 1
    assert git.harness.status(WEB).revision == written.revision
    assert git.messages == [f"Roll {WEB} back to {first[:12]}"]


def test_a_spec_that_moved_comes_back_where_it_is(git: Git) -> None:
    """Files are renamed; a rollback does not undo that."""
    git.commit(web=None, all=f"{job_document('db', TaskGroups=[group()])}---\n{web(4)}")

    git.harness.operator.rollback(WEB, to="1", author=ME, request_id="r")
    git.harness.sync()

    assert "web.yaml" not in git.harness.files
    assert count(git.harness) == 2
    assert count(git.harness, job_key("default", "db")) == 1


def test_what_cannot_be_rolled_back_is_said(git: Git) -> None:
    """An unknown version, a commit without it, one that is in force, a source that nobody writes to."""
    operator = git.harness.operator
    with pytest.raises(UnknownError, match="no version 9"):
        operator.rollback(WEB, to="9", author=ME, request_id="r")
    with pytest.raises(UsageError, match="declared as at commit"):
        operator.rollback(WEB, to="2", author=ME, request_id="r")
    with pytest.raises(UsageError, match="no commit ffffffff"):
        operator.rollback(WEB, to="ffffffff", author=ME, request_id="r")
    operator._writer = None
    with pytest.raises(UsageError, match="--now"):
        operator.rollback(WEB, to="1", author=ME, request_id="r")


# -- at once -----------------------------------------------------------------------------------------------------------


def test_an_emergency_is_held_until_the_spec_changes(git: Git) -> None:
    """The job is at once what it was, with the provenance of that; Git cannot undo it before it says something new."""
    harness = git.harness
    harness.operator.pin(WEB, to="1", by="ann")
    harness.sync()

    assert count(harness) == 2
    assert harness.reason(WEB) == Reason.ROLLED_BACK
    assert "ann" in str(harness.status(WEB).conditions)
    trace = harness.operator.trace(WEB)
    assert trace.live.provenance is not None
    assert trace.live.provenance.revision == list(git.commits)[1]
    assert harness.writes_during(harness.sync) == [], "held is silent"
    harness.restart()
    harness.sync()
    assert count(harness) == 2, "also after a restart"

    git.commit(web=web(5))
    assert count(harness) == 5
    assert harness.status(WEB).ready


def test_git_that_agrees_ends_it_without_a_write(git: Git) -> None:
    """The spec as it was is what is live."""
    harness = git.harness
    harness.operator.pin(WEB, to=list(git.commits)[1][:9], by="ann")
    harness.sync()
    before = harness.nomad.jobs[WEB].body["Version"]

    git.commit(web=web(2))

    assert harness.status(WEB).ready
    assert harness.nomad.jobs[WEB].body["Version"] == before


def test_an_approval_lets_git_have_its_way(git: Git) -> None:
    """The rollback was a mistake: what Git says is applied after all, and stays."""
    harness = git.harness
    harness.operator.pin(WEB, to="0", by="ann")
    assert harness.reason(WEB) == Reason.ROLLED_BACK, "at once, not at the next look"
    assert count(harness) == 1

    harness.operator.approve(WEB, by="ann")
    harness.sync()
    assert count(harness) == 3
    harness.sync()
    assert harness.status(WEB).ready


def test_a_rollback_that_loses_a_race_is_tried_again(git: Git) -> None:
    """It is a compare-and-set like every write."""
    harness, lost = git.harness, []

    def fault(name: str, key: Key | None) -> None:
        if name == "register" and not lost:
            lost.append(key)
            raise Conflict("Enforcing job modify index")

    harness.nomad.fault = fault
    harness.operator.pin(WEB, to="1", by="ann")
    harness.sync()
    harness.sync()

    assert lost == [WEB]
    assert count(harness) == 2


def test_a_version_that_nomad_forgot_is_said(git: Git) -> None:
    """Before anything is promised; and where it is forgotten meanwhile, in the status."""
    harness = git.harness
    with pytest.raises(UnknownError, match="no version 7"):
        harness.operator.pin(WEB, to="7", by="ann")
    with pytest.raises(UsageError, match="already"):
        harness.operator.pin(WEB, to="2", by="ann")
    del harness.nomad.jobs[WEB].versions[1]
    harness.store.put_pin(WEB, Pin(harness.status(WEB).digest, 1, "ann"))
    harness.sync()

    assert count(harness) == 3
    assert harness.reason(WEB) == Reason.REFUSED
    assert "does not remember version 1" in str(harness.status(WEB).conditions)


def test_edits_carry_what_they_found(git: Git) -> None:
    """So that a rollback never undoes what somebody commits meanwhile."""
    seen: list[FileEdit] = []
    write = git.write

    def slow(request: WriteRequest) -> Written:
        seen.extend(request.edits)
        return write(request)

    git.write = slow  # type: ignore[method-assign]
    git.harness.operator.rollback(WEB, to="0", author=ME, request_id="r")

    assert [edit.expected is not None for edit in seen] == [True]
