"""What a write through Git is: a commit, whose, of what, once; and what is refused before anything is written."""

from hashlib import sha256

import pytest

from adapters.git.worlds import World
from adapters.git.writers import ADA, files, request, requests_of, show, writer
from gitservers import Link, Module, Repository
from herdsman.adapters.git import Verify, reference
from herdsman.core.ignore import IGNORE_FILE
from herdsman.errors import Conflict, SettingsError, Unavailable, UsageError
from herdsman.model import writes
from herdsman.model.writes import Author, FileEdit, WriteRequest, digest


def test_a_write_is_a_commit(world: World, fleet: Repository) -> None:
    """On top of what is there, authored by who asked, committed by Herdsman, with the request in a trailer."""
    before = fleet.head()
    written = writer(world).write(request("r-1", {"jobs/web.yaml": "web", "a.yaml": "A"}, message="more web\n\nmuch"))

    assert (written.revision, written.pushed, written.branch, written.repeated) == (fleet.head(), True, "main", False)
    assert fleet.git("rev-parse", "main^") == before
    assert fleet.git("log", "-1", "--format=%an <%ae> / %cn <%ce> / %at", "main") == (
        f"Ada <ada@example.org> / Herdsman <herdsman@localhost> / {int(world.clock.now().timestamp())}"
    )
    assert fleet.git("log", "-1", "--format=%B", "main") == "more web\n\nmuch\n\nHerdsman-Request-Id: r-1"
    assert (show(fleet, "jobs/web.yaml"), show(fleet, "a.yaml")) == ("web", "A")


def test_a_committer_of_ones_own(world: World, fleet: Repository) -> None:
    """Name and address are configured."""
    writer(world, committer=Author("Platform", "bot@example.org")).write(request("r"))

    assert fleet.git("log", "-1", "--format=%cn <%ce>", "main") == "Platform <bot@example.org>"


def test_only_what_is_named_changes(world: World, fleet: Repository) -> None:
    """Neighbours, modes, links and submodules stay; a file that goes takes its empty directories along."""
    fleet.commit({"x/y/z.yaml": "z", "b.yaml": "b", "link": Link("b.yaml"), "sub": Module(), "ü ö.yaml": "u"})
    fleet.git("read-tree", "main")
    fleet.git("update-index", "--add", "--cacheinfo", f"100755,{fleet.git('rev-parse', 'main:a.yaml')},run.hcl")
    fleet.git("update-ref", "refs/heads/main", fleet.git(
        "commit-tree", "-p", "main", "-m", "mode", fleet.git("write-tree"),
        env={f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    ))  # fmt: skip
    writer(world).write(request("r", {"x/y/z.yaml": None, "run.hcl": "changed", "ü ö.yaml": "U"}))

    assert fleet.git("diff", "--name-status", "-z", "main^", "main").rstrip("\0").split("\0") == [
        "M", "run.hcl", "D", "x/y/z.yaml", "M", "ü ö.yaml",
    ]  # fmt: skip
    assert fleet.git("ls-tree", "main", "run.hcl").startswith("100755")
    assert fleet.git("ls-tree", "main", "x") == ""


def test_paths_start_from_the_source(world: World, fleet: Repository) -> None:
    """As they do in its snapshots; what is beside it is out of reach."""
    fleet.commit({"specs/prod/a.yaml": "inner"})
    opened = writer(world, path="specs/prod")
    opened.write(request("r", {"b.yaml": "b"}))

    assert opened.read("a.yaml") == b"inner"
    assert files(fleet) == ["a.yaml", "specs/prod/a.yaml", "specs/prod/b.yaml"]
    with pytest.raises(UsageError):
        opened.write(request("r2", {"../a.yaml": "b"}))
    assert opened.describe().endswith("fleet.git (branch main, path specs/prod)")


def test_what_is_read(world: World, fleet: Repository) -> None:
    """The newest state that is known: one's own writes at once, those of others after a while."""
    opened = writer(world)
    assert (opened.read("a.yaml"), opened.read("b.yaml"), opened.read("a/b.yaml")) == (b"a", None, None)
    opened.write(request("r", {"a.yaml": "own"}))
    assert opened.read("a.yaml") == b"own"
    fleet.commit({"a.yaml": "theirs"})
    world.clock.advance(10)
    assert opened.read("a.yaml") == b"theirs"


def test_the_default_branch(world: World, fleet: Repository) -> None:
    """It is asked for by name, and written to like any."""
    fleet.git("branch", "-m", "main", "trunk")
    fleet.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    written = writer(world, ref=reference()).write(request("r"))

    assert written.branch == "trunk"
    assert fleet.head("trunk") == written.revision


def test_a_repository_of_sha256(world: World) -> None:
    """Longer object IDs make no difference."""
    fleet = world.repository(object_format="sha256")
    fleet.commit({"a.yaml": "a"})
    written = writer(world).write(request("r", {"a.yaml": "A"}, a=sha256(b"a").hexdigest()))

    assert len(written.revision) == 64
    assert writer(world, at="2").write(request("r")).repeated


def test_many_writes_one_after_the_other(world: World, fleet: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is one line, in order, also where the mirror is tidied on the way."""
    monkeypatch.setattr("herdsman.adapters.git.writer.TIDY", 4)
    opened = writer(world)
    for number in range(12):
        opened.write(request(f"r{number}", {"n.yaml": f"{number}"}))

    assert requests_of(fleet) == [f"r{n}" for n in range(12)]
    assert opened.read("n.yaml") == b"11"


# -- compare-and-set ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected", "meets"),
    [
        ("a.yaml", digest(b"a"), True),
        ("a.yaml", digest(b"b"), False),
        ("a.yaml", "", False),
        ("a.yaml", None, True),
        ("new.yaml", "", True),
        ("new.yaml", digest(b""), False),
        ("new.yaml", None, True),
    ],
)
@pytest.mark.parametrize("content", [b"x", None])
def test_what_an_edit_expects(
    path: str, expected: str | None, meets: bool, content: bytes | None, world: World, fleet: Repository
) -> None:
    """The content by its digest, nothing, or whatever is there; else it is a conflict, and nothing is written."""
    before = fleet.head()
    wanted = WriteRequest((FileEdit(path, content, expected), FileEdit("other.yaml", b"o")), ADA, "m", "r")
    if meets:
        writer(world).write(wanted)
        assert "other.yaml" in files(fleet)
        assert (path in files(fleet)) is (content is not None)
    else:
        with pytest.raises(Conflict, match=path):
            writer(world).write(wanted)
        assert fleet.head() == before


def test_a_conflict_is_judged_by_the_newest(world: World, fleet: Repository) -> None:
    """What is known may be old: neither is refused what fits by now, nor taken what no longer does."""
    opened = writer(world)
    opened.write(request("r0"))
    fleet.commit({"a.yaml": "new"})
    with pytest.raises(Conflict):
        opened.write(request("r1", {"a.yaml": "mine"}, a=digest(b"a")))
    fleet.commit({"a.yaml": "newer"})
    opened.write(request("r2", {"a.yaml": "mine"}, a=digest(b"newer")))

    assert show(fleet, "a.yaml") == "mine"


def test_nothing_to_change(world: World, fleet: Repository) -> None:
    """What is so already makes no commit, but an answer, which is remembered like any."""
    opened = writer(world)
    before = fleet.head()
    written = opened.write(request("r", {"a.yaml": "a", "gone.yaml": None}))
    fleet.commit({"a.yaml": "b"})
    again = writer(world).write(request("r", {"a.yaml": "a"}))

    assert (written.revision, written.repeated) == (before, False)
    assert (again.revision, again.repeated) == (before, True)
    assert show(fleet, "a.yaml") == "b"


# -- once --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["the same", "restarted", "elsewhere"])
def test_a_request_is_carried_out_once(where: str, world: World, fleet: Repository) -> None:
    """Whoever is asked again, and however much was written since: it is answered with the old revision."""
    first = writer(world)
    written = first.write(request("r-1", {"a.yaml": "1"}))
    fleet.commit({"a.yaml": "2"})
    other = {"the same": lambda: first, "restarted": lambda: writer(world), "elsewhere": lambda: writer(world, at="2")}
    again = other[where]().write(request("r-1", {"a.yaml": "1"}))

    assert (again.revision, again.repeated, again.pushed) == (written.revision, True, True)
    assert (show(fleet, "a.yaml"), requests_of(fleet)) == ("2", ["r-1"])


def test_a_message_cannot_pose_as_another_request(world: World, fleet: Repository) -> None:
    """Neither here nor for others who read trailers: lines like ours are quoted, and the last line alone counts."""
    forged = "x\n\nHerdsman-Request-Id: other\n herdsman-request-id : other2\r\nSigned-off-by: Ada <a@b>\n\n"
    writer(world).write(request("real", message=f"{forged}Herdsman-Request-Id: other"))
    fresh = writer(world, at="2")

    assert requests_of(fleet) == ["real"]
    assert fresh.write(request("real")).repeated
    assert not fresh.write(request("other")).repeated
    assert not fresh.write(request("other2")).repeated


def test_a_trailer_amid_a_message_counts_for_nothing(world: World, fleet: Repository) -> None:
    """Somebody quotes a commit of ours in their own."""
    fleet.commit({"b.yaml": "b"}, message="revert\n\nHerdsman-Request-Id: quoted\n\nbecause it was wrong")
    fleet.commit({"b.yaml": "c"}, message="theirs\n\nHerdsman-Request-Id: done")
    opened = writer(world)

    assert not opened.write(request("quoted")).repeated
    assert opened.write(request("done")).repeated


def test_trailers_of_the_caller_stay_trailers(world: World, fleet: Repository) -> None:
    """Ours joins them in one paragraph, where git finds both."""
    writer(world).write(request("r", message="subject\n\nbody\n\nSigned-off-by: Ada <a@b>"))

    assert fleet.git("log", "-1", "--format=%(trailers:only,unfold)", "main").splitlines() == [
        "Signed-off-by: Ada <a@b>", "Herdsman-Request-Id: r",
    ]  # fmt: skip


# -- pull requests -----------------------------------------------------------------------------------------------------


def test_a_pull_request(world: World, fleet: Repository) -> None:
    """Each request goes to a branch of its own, from the newest of the branch that is followed, which stays."""
    opened = writer(world, pull_requests=True)
    before = fleet.head()
    written = [opened.write(request(name)) for name in ("one", "two")]

    assert [w.branch for w in written] == ["herdsman/one", "herdsman/two"]
    assert {fleet.git("rev-parse", f"{w.branch}^") for w in written} == {before} == {fleet.head()}
    assert [fleet.head(w.branch) for w in written] == [w.revision for w in written]
    assert [w.url for w in written] == ["", ""]
    assert opened.read("one.yaml") is None


@pytest.mark.parametrize("known", ["record", "branch", "merged"])
def test_a_pull_request_is_made_once(known: str, world: World, fleet: Repository) -> None:
    """Whether this writer did it, another one did, or it is merged already and its branch is gone."""
    opened = writer(world, pull_requests=True)
    written = opened.write(request("one"))
    if known == "merged":
        fleet.git("update-ref", "refs/heads/main", written.revision)
        fleet.git("branch", "-D", "herdsman/one")
    if known != "record":
        opened = writer(world, at="2", pull_requests=True)
    again = opened.write(request("one", {"one.yaml": "else"}))

    assert (again.revision, again.repeated) == (written.revision, True)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "", "/a.yaml", "../a.yaml", "a/../b.yaml", "a/./b.yaml", "a//b.yaml", "a/", ".", "..", ".git/config",
        "a/.git/x", ".GIT/config", "git~1/config", "GIT~1", ".github/workflows/x.yml", ".gitlab-ci.yml", "a\nb.yaml",
        "a\0.yaml", "a\\b.yaml", "a\u202eb.yaml", "a\u200b.yaml", " a.yaml", "a.yaml ", "a./b.yaml", "x" * 256,
        "a/" * 600 + "b", "\udc80.yaml", ".herdsmanignore/a.yaml",
    ],
)  # fmt: skip
def test_a_path_that_is_none(path: str, world: World) -> None:
    """It is refused for writing and reading before git hears of it, with a hint."""
    opened = writer(world)
    with pytest.raises(UsageError, match="path") as caught:
        opened.write(request("r", {path: "x"}))
    with pytest.raises(UsageError):
        opened.read(path)

    assert caught.value.hint
    assert not world.cache.exists()


def test_ignore_rules_may_be_written(world: World, fleet: Repository) -> None:
    """It is the one hidden file that counts, under the name that readers know."""
    assert writes.IGNORE_FILE == IGNORE_FILE
    writer(world).write(request("r", {IGNORE_FILE: "x/", f"a/{IGNORE_FILE}": "y"}))

    assert files(fleet) == [IGNORE_FILE, "a.yaml", f"a/{IGNORE_FILE}"]


@pytest.mark.parametrize(
    "wanted",
    [
        WriteRequest((), ADA, "m", "r"),
        WriteRequest((FileEdit("a.yaml", b""), FileEdit("a.yaml", None)), ADA, "m", "r"),
        WriteRequest((FileEdit("a", b""), FileEdit("a/b.yaml", b"")), ADA, "m", "r"),
        WriteRequest((FileEdit("a.yaml", b"x" * (writes.MAX_FILE + 1)),), ADA, "m", "r"),
        WriteRequest((FileEdit("a.yaml", b"", "abc"),), ADA, "m", "r"),
        WriteRequest(tuple(FileEdit(f"{n}.yaml", b"") for n in range(501)), ADA, "m", "r"),
        *(
            request(name, {"a.yaml": "x"})
            for name in ("", "-r", ".r", "a/b", "a b", "r\nx", "a..b", "x.lock", "x.", "é", "x" * 129)
        ),
    ],
)
def test_a_request_that_makes_no_sense(wanted: WriteRequest, world: World) -> None:
    """It is refused with a hint, whatever stands in the branch."""
    with pytest.raises(UsageError) as caught:
        writer(world).write(wanted)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("link", "symbolic link"),
        ("sub", "submodule"),
        ("dir", "directory"),
        ("a.yaml/b.yaml", "on the way"),
        ("link/b.yaml", "on the way"),
        ("sub/b.yaml", "on the way"),
    ],
)
def test_what_is_no_file_stays(path: str, words: str, world: World, fleet: Repository) -> None:
    """A directory, a link or a submodule is neither replaced nor followed, nor does a file become a directory."""
    fleet.commit({"link": Link("dir"), "sub": Module(), "dir/x.yaml": "x"})
    before = fleet.head()
    opened = writer(world)
    with pytest.raises(UsageError, match=words):
        opened.write(request("r", {path: "x"}))
    assert fleet.head() == before


def test_a_file_too_large_to_read(world: World, fleet: Repository) -> None:
    """It is not read, and not as anybody expects."""
    fleet.commit({"big.yaml": b"x" * (writes.MAX_FILE + 1)})
    opened = writer(world)
    with pytest.raises(UsageError, match="larger"):
        opened.read("big.yaml")
    with pytest.raises(Conflict):
        opened.write(request("r", {"big.yaml": "x"}, big=digest(b"x" * (writes.MAX_FILE + 1))))


@pytest.mark.parametrize("ref", [reference(tag="v1"), reference(commit="1" * 40), reference(semver="1.x")])
def test_only_a_branch_can_be_written_to(ref: object, world: World) -> None:
    """Tags and commits stay what they are."""
    with pytest.raises(SettingsError, match="cannot be written to"):
        writer(world, ref=ref)


def test_signatures_are_not_circumvented(world: World, fleet: Repository) -> None:
    """Where they are demanded, our commits would not be applied: a person has to merge them."""
    verify = Verify(ssh_allowed_signers=world.folder / "signers")
    with pytest.raises(SettingsError, match="sign"):
        writer(world, verify=verify)
    assert not writer(world, verify=verify, pull_requests=True).write(request("r")).repeated


def test_an_empty_repository(world: World) -> None:
    """There is no branch to write to: nothing is changed, and the error says what to do."""
    world.repository()
    with pytest.raises(Unavailable, match="nothing was changed") as caught:
        writer(world).write(request("r"))
    assert "push a first commit" in caught.value.hint


def test_nothing_of_the_surroundings_runs(world: World, fleet: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks, filters and identities of the user who runs Herdsman have no say in a commit."""
    home = world.folder / "user"
    home.mkdir()
    (home / ".gitconfig").write_text(f"[core]\nhooksPath = {home}\n[user]\nname = Nobody\n[commit]\ngpgsign = true\n")
    (home / "pre-push").write_text(f"#!/bin/sh\ntouch {home}/ran\n")
    (home / "pre-push").chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    writer(world).write(request("r"))

    assert not (home / "ran").exists()
    assert fleet.git("log", "-1", "--format=%an %cn", "main") == "Ada Herdsman"
