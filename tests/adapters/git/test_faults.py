"""Bad days: the remote, the way there, the disk, the mirror. Nothing is ever taken for an empty fleet."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.git.worlds import Watching, World, again, program, texts, wait_for
from gitservers import GitDaemon, Repository, basic
from herdsman.adapters.git import Credentials, GitSource
from herdsman.errors import SourceError

GIT = shutil.which("git")


def fails(source: GitSource, words: str = ".") -> str:
    """The next snapshot is an error with these *words*; the value is all of it."""
    with pytest.raises(SourceError, match=words) as caught:
        source.snapshot()
    return str(caught.value)


def recovers(world: World, source: GitSource, fleet: Repository) -> None:
    """Once the fault is gone, the next look delivers what is there by then."""
    commit = fleet.commit({"a.yaml": "after"})
    world.clock.advance(1000)

    assert source.snapshot().revision == commit
    assert (source.state().failing_since, source.state().error) == (None, "")


# -- the remote ------------------------------------------------------------------------------------------------------


def test_down_for_an_hour(world: World, fleet: Repository) -> None:
    """The remote is asked less and less often, `state` says since when, and the first answer ends it."""
    daemon = world.stack.enter_context(GitDaemon(world.repos))
    source = world.source(daemon.url("fleet.git"), interval=60)
    source.snapshot()
    daemon.close()
    world.clock.advance(100)
    began = world.clock.now()
    fails(source, "cannot be reached")
    for _ in range(720):
        world.clock.advance(5)
        fails(source, "cannot be reached")
    state = source.state()

    assert state.failing_since == began
    assert "cannot be reached" in state.error
    assert 55 <= state.failed_looks <= 65
    assert state.commit
    assert state.commit.oid == fleet.head()


def test_back_after_an_outage(world: World, fleet: Repository) -> None:
    """A server that answers again is believed at once."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    source.snapshot()
    server.fault = lambda handler: handler.answer(503)
    world.clock.advance(100)
    fails(source, "cannot be reached.*503")
    server.fault = lambda _: False

    recovers(world, source, fleet)


GARBAGE = {
    "a web page": b"<html><body>Welcome to nginx</body></html>",
    "nothing": b"",
    "noise": bytes(range(256)) * 50,
    "half a packet": b"001e# service=git-upload-pack\n0000000eversion 2",
    "a length without end": b"001e# service=git-upload-pack\n0000fff0" + b"x" * 100,
}


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_garbage(name: str, method: str, world: World, fleet: Repository) -> None:
    """A server that answers something else is told of as that, in one printable line."""
    kind = "advertisement" if method == "GET" else "result"
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    source.snapshot()
    headers = {"Content-Type": f"application/x-git-upload-pack-{kind}"}
    server.fault = lambda handler: handler.command == method and handler.answer(200, GARBAGE[name], headers)
    world.clock.advance(100)
    for poked in (True, False):
        if poked:
            source.poke()
        words = fails(source)
        assert words.isprintable()
        world.clock.advance(1000)
    server.fault = lambda _: False

    recovers(world, source, fleet)


def test_a_page_where_a_repository_was(world: World, fleet: Repository) -> None:
    """A proxy that answers every question with a page is no empty repository."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    server.fault = lambda handler: handler.answer(200, b"<html>log in, please</html>", {"Content-Type": "text/html"})

    fails(source)


@pytest.mark.parametrize("cut", [0, 10, 200, 1000, 5000])
def test_a_fetch_that_is_cut(cut: int, world: World, fleet: Repository) -> None:
    """A connection that breaks in the middle leaves the mirror as it was."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    source.snapshot()
    old = fleet.head()
    fleet.commit({f"{n}.yaml": os.urandom(200).hex() for n in range(20)})
    server.cut = cut
    for _ in range(2):
        world.clock.advance(1000)
        fails(source, "broke the connection off|does not answer as a Git server does")
    assert Repository(world.mirror()).git("rev-parse", "refs/herdsman/head") == old
    server.cut = None

    recovers(world, source, fleet)
    assert source.state().clones == 1


def test_a_first_fetch_that_is_cut(world: World, fleet: Repository) -> None:
    """Half a mirror is no mirror."""
    fleet.commit({f"{n}.yaml": os.urandom(200).hex() for n in range(20)})
    server = world.serve()
    server.cut = 3000
    source = world.source(server.url("fleet.git"))
    fails(source, "broke the connection off")

    assert sorted(path.name for path in next(world.cache.iterdir()).iterdir()) == ["home", "lock"]
    server.cut = None
    recovers(world, source, fleet)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_remote_that_hangs(method: str, world: World, fleet: Repository) -> None:
    """Who does not answer in time is given up, and nothing of git is left running."""
    server = world.serve()
    source = world.source(server.url("fleet.git"), timeout=1)
    hanging: list[object] = []

    def hang(handler: object) -> bool:
        if getattr(handler, "command") != method:  # noqa: B009
            return False
        hanging.append(handler)
        time.sleep(4)
        return True

    server.fault = hang
    began = time.monotonic()
    fails(source, "did not end in time|cannot be reached")

    assert hanging
    assert time.monotonic() - began < 3.5
    assert not children("git-remote-http")


def children(name: str) -> list[int]:
    """Processes of that name below this one, however deep."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, _, rest = stat.read_text().partition(" (")
            names[int(pid)], _, after = rest.rpartition(") ")
            parents[int(pid)] = int(after.split()[1])
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return [pid for pid in below if names.get(pid, "").startswith(name[:15])]


def test_a_slow_fetch_is_killed_with_its_children(world: World, fleet: Repository) -> None:
    """A git that ignores every polite word, and what it started, are gone when their time is up."""
    pids = world.folder / "pids"
    script = f'case "$1" in fetch) trap "" TERM INT HUP; sleep 300 & echo $! $$ > {pids}; wait; esac; exec {GIT} "$@"'
    source = world.source(git=program(world.folder / "bin", script), timeout=0.1)
    fails(source, "git fetch did not end in time")

    for pid in pids.read_text().split():
        wait_for(lambda pid=pid: not Path(f"/proc/{pid}").exists() or state_of(int(pid)) == "Z")


def state_of(pid: int) -> str:
    """One letter, as the kernel says it; Z where nothing is left but its number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_credentials_that_expire_midway(world: World, fleet: Repository) -> None:
    """A token that is good for the look and not for the fetch: an error with words, and the next token is tried."""
    token = world.folder / "token"
    token.write_text("old")
    server = world.serve(accept={basic("x-access-token", "old")})
    source = world.source(server.url("fleet.git"), credentials=Credentials(secret_file=token))
    source.snapshot()
    fleet.commit({"a.yaml": "new"})

    def expire() -> None:
        server.accept = {basic("x-access-token", "fresh")}

    server.after_list = expire
    world.clock.advance(100)
    words = fails(source, "does not accept the credentials")
    assert "old" not in words.split()
    world.clock.advance(1000)
    fails(source, "does not accept the credentials")
    token.write_text("fresh")

    recovers(world, source, fleet)


def test_an_empty_repository(world: World) -> None:
    """It is an error until something is pushed."""
    empty = world.repository()
    source = world.source(world.serve().url("fleet.git"))
    fails(source, "has no branch main.*empty repository")

    recovers(world, source, empty)


def test_a_path_that_goes(world: World, fleet: Repository) -> None:
    """A directory that a commit moves away is an error, by name of commit and author; it may come back."""
    fleet.commit({"specs/a.yaml": "a"})
    source = world.source(path="specs")
    source.snapshot()
    fleet.commit({"specs": None, "moved/a.yaml": "a"}, author="Eve <eve@example.org>")
    source.poke()
    for _ in range(2):
        fails(source, "by Eve <eve@example.org> holds no directory specs")
    assert source.state().failing_since
    fleet.commit({"specs/a.yaml": "b"})

    assert texts(again(source)) == {"a.yaml": "b"}


def test_a_force_push_that_drops_half(world: World, fleet: Repository) -> None:
    """It is delivered as it is, settled: how much may go at once is decided by the limits of the fleet."""
    fleet.commit({f"{n}.yaml": f"{n}" for n in range(10)}, orphan=True)
    source = world.source()
    assert len(source.snapshot().files) == 10
    fleet.commit({f"{n}.yaml": f"{n}" for n in range(5)}, orphan=True)
    snapshot = again(source)

    assert len(snapshot.files) == 5
    assert snapshot.settled


def test_a_repository_that_moved(world: World, fleet: Repository) -> None:
    """A redirect is followed and told of; where nobody redirects, it is an error."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    assert source.snapshot().warnings == ()
    (world.repos / "fleet.git").rename(world.repos / "new.git")
    world.clock.advance(100)
    fails(source, "there is no repository at")

    def redirect(handler: object) -> bool:
        path = getattr(handler, "path")  # noqa: B009
        location = {"Location": server.url("new.git") + path.removeprefix("/fleet.git")}
        return path.startswith("/fleet.git") and getattr(handler, "answer")(301, b"", location)  # noqa: B009

    server.fault = redirect
    moved = Repository(world.repos / "new.git")
    moved.commit({"a.yaml": "moved"})
    world.clock.advance(1000)
    snapshot = source.snapshot()

    assert texts(snapshot) == {"a.yaml": "moved"}
    assert snapshot.warnings == (f"the repository has moved to {server.url('new.git')}: change the URL",)


# -- the mirror ------------------------------------------------------------------------------------------------------


def _gone(mirror: Path) -> None:
    shutil.rmtree(mirror)


def _emptied(mirror: Path) -> None:
    for path in list(mirror.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _a_file(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.write_text("not a repository")


def _objects_gone(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")
    (mirror / "objects").mkdir()


def _each_object(change: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(mirror: Path) -> None:
        for path in (*mirror.glob("objects/??/*"), *mirror.glob("objects/pack/*.pack")):
            path.chmod(0o644)
            change(path)

    return damage


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for n in range(len(data) // 2, len(data)):
        data[n] ^= 0xFF
    path.write_bytes(data)


def _config(mirror: Path) -> None:
    (mirror / "config").write_text("[core\n")


def _ref(text: str) -> Callable[[Path], None]:
    def damage(mirror: Path) -> None:
        (mirror / "refs/herdsman/head").write_text(text)

    return damage


def _locked(mirror: Path) -> None:
    for name in ("shallow.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "refs/herdsman/head.lock"):
        (mirror / name).touch()
    (mirror / "objects/pack").mkdir(exist_ok=True)
    (mirror / "objects/pack/tmp_pack_x").write_bytes(b"PACK")


def _shallow(mirror: Path) -> None:
    (mirror / "shallow").unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "the directory is gone": _gone,
    "nothing is in it": _emptied,
    "it is a file": _a_file,
    "all objects are gone": _objects_gone,
    "objects are empty": _each_object(lambda path: path.write_bytes(b"")),
    "objects are half": _each_object(lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    "bits are flipped": _each_object(_flipped),
    "its configuration is nonsense": _config,
    "its reference is nonsense": _ref("nonsense\n"),
    "its reference leads to nothing": _ref("1" * 40 + "\n"),
    "its reference is empty": _ref(""),
    "a killed git left its locks": _locked,
    "it forgot that it is shallow": _shallow,
}


@pytest.mark.parametrize("news", [True, False], ids=["with news", "without"])
@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_mirror(name: str, news: bool, world: World, fleet: Repository) -> None:
    """It is made good by itself, at the next start and in the middle of a life."""
    fleet.commit({f"{n}.yaml": f"{n}" for n in range(20)})
    living = world.source()
    living.snapshot()
    DAMAGE[name](world.mirror())
    if news:
        fleet.commit({"a.yaml": "new"})
    expected = {"a.yaml": "new" if news else "a"} | {f"{n}.yaml": f"{n}" for n in range(20)}

    started = world.source()
    assert texts(again(living)) == expected
    assert texts(started.snapshot()) == expected


def test_locks_of_the_dead_are_no_damage(world: World, fleet: Repository) -> None:
    """What a killed git left behind is removed, and costs no second clone."""
    source = world.source()
    source.snapshot()
    _locked(world.mirror())
    fleet.commit({"a.yaml": "new"})

    assert texts(again(source)) == {"a.yaml": "new"}
    assert (source.state().clones, world.warnings) == (1, [])
    assert not list(world.mirror().rglob("*.lock"))
    assert not list(world.mirror().rglob("tmp_*"))


def test_damage_is_told(world: World, fleet: Repository) -> None:
    """Somebody may want to know that their disk forgets."""
    source = world.source()
    source.snapshot()
    _each_object(_flipped)(world.mirror())
    fleet.commit({"a.yaml": "new"})
    again(source)

    assert world.warnings == [
        f"the mirror of {(world.repos / 'fleet.git').as_uri()} is damaged and is fetched again, whole"
    ]
    assert sorted(path.name for path in world.mirror().parent.iterdir()) == ["home", "lock", "repo.git"]


def test_a_damaged_mirror_and_no_remote(world: World, fleet: Repository) -> None:
    """What is left is not thrown away before there is something better."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    source.snapshot()
    (world.mirror() / "refs/herdsman/head").write_text("nonsense")
    server.fault = lambda handler: handler.command == "POST" and b"fetch" in b"fetch" and handler.answer(500)
    world.clock.advance(1000)
    fails(source)

    assert (world.mirror() / "objects").is_dir()
    server.fault = lambda _: False
    recovers(world, source, fleet)


def test_a_disk_that_forgets_everything(world: World, fleet: Repository) -> None:
    """Where a mirror made anew is damaged as well, that is said, and it is not made anew for ever."""
    wrapper = f'[ "$1 $2" = "cat-file --batch" ] && exit 1; exec {GIT} "$@"'
    source = world.source(git=program(world.folder / "bin", wrapper))
    fails(source, "damaged again after it was fetched anew.*disk of the cache")

    assert source.state().clones == 2


def test_a_process_that_died_is_started_again(world: World, fleet: Repository) -> None:
    """The two that wait for questions may be killed at any time; the next snapshot does not show it."""
    source = world.source()
    source.snapshot()
    for n in range(3):
        waiting = children("git")
        assert len(waiting) == 2
        for pid in waiting:
            os.kill(pid, signal.SIGKILL)
        fleet.commit({"a.yaml": f"{n}"})
        assert texts(again(source)) == {"a.yaml": f"{n}"}
    assert world.warnings == []


# -- the disk, and git itself ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(world: World) -> Path:
    """A cache on a disk of its own, of 3 MiB."""
    world.cache.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(world.cache)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    world.stack.callback(subprocess.run, ["umount", "-l", str(world.cache)], check=True)
    return world.cache


@pytest.mark.parametrize("first", [True, False], ids=["at the start", "later"])
def test_a_disk_that_is_full(first: bool, world: World, fleet: Repository, small_disk: Path) -> None:
    """It is said; when there is room again, it goes on by itself."""
    source = world.source()
    if not first:
        source.snapshot()
    commit = fleet.commit({f"{n}.yaml": os.urandom(20_000).hex() for n in range(200)})
    world.clock.advance(1000)
    for _ in range(3):
        words = fails(source, "no room left|No space|no space")
        assert "disk" in words or "room" in words
        world.clock.advance(1000)
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)

    assert source.snapshot().revision == commit


def test_a_cache_that_cannot_be_made(world: World, fleet: Repository) -> None:
    """A file in the place of the cache is an error with the path."""
    world.cache.write_text("a file")

    fails(world.source(), f"the cache {world.cache}.* cannot be used")


def test_a_cache_that_goes_bad_under_a_watcher(world: World, fleet: Repository) -> None:
    """It hints at trouble, and at its end."""
    source = world.source()
    outcomes: list[bool] = []

    def read() -> None:
        try:
            outcomes.append(bool(source.snapshot()))
        except SourceError:
            outcomes.append(False)

    with Watching(source, read):
        wait_for(lambda: outcomes == [True])
        world.cache.rename(world.folder / "kept")
        world.cache.write_text("a file")
        world.clock.advance(100)
        wait_for(lambda: outcomes == [True, False])
        assert "cannot be used" in source.state().error
        world.cache.unlink()
        (world.folder / "kept").rename(world.cache)
        world.clock.advance(100)
        wait_for(lambda: outcomes == [True, False, True])


def test_a_cache_that_is_removed(world: World, fleet: Repository) -> None:
    """Somebody who cleans up costs one fetch, no error."""
    source = world.source()
    source.snapshot()
    shutil.rmtree(world.cache)
    fleet.commit({"a.yaml": "new"})

    assert texts(again(source)) == {"a.yaml": "new"}


def test_no_git(world: World, fleet: Repository) -> None:
    """Its absence is said as such."""
    fails(world.source(git="git-that-is-not-there"), "'git-that-is-not-there' is not there.*git 2.31 or later")


@pytest.mark.parametrize("says", ["git version 2.30.2", "git version 1.9", "gut", ""])
def test_an_old_git(says: str, world: World, fleet: Repository) -> None:
    """One that would ignore how it is configured is not used at all."""
    fails(world.source(git=program(world.folder / "bin", f"echo '{says}'")), "git says of itself")


@pytest.mark.parametrize(
    "script", ["exit 1", "echo fatal: boom >&2; exit 128", "kill -9 $$", "yes", "yes >&2", "exit 0"]
)
def test_a_git_gone_mad(script: str, world: World, fleet: Repository) -> None:
    """Whatever the program does, it is a `SourceError` with words, and it does not take the memory of the machine."""
    wrapper = f'[ "$1" = version ] && exec {GIT} "$@"; {script}'
    source = world.source(git=program(world.folder / "bin", wrapper), timeout=5)

    assert len(fails(source)) < 1000


@pytest.mark.parametrize("name", ["cat-file", "rev-list", "init", "fetch", "gc"])
def test_one_command_that_hangs(name: str, world: World, fleet: Repository) -> None:
    """No command of git can hold the source for ever."""
    wrapper = f'[ "$1" = {name} ] && exec sleep 300; exec {GIT} "$@"'
    source = world.source(git=program(world.folder / "bin", wrapper), timeout=0.2)
    began = time.monotonic()
    with suppress(SourceError):
        source.snapshot()
    assert time.monotonic() - began < 10


def test_another_process_at_work(world: World, fleet: Repository) -> None:
    """Two operators on one cache take turns; one that never lets go is named."""
    world.source().snapshot()
    (folder,) = world.cache.iterdir()
    lock = "import fcntl, sys, time; lock = open(sys.argv[1]); fcntl.flock(lock, fcntl.LOCK_EX)"
    hold = f"{lock}; print(flush=True); time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", hold, str(folder / "lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline()
        fails(world.source(timeout=0.3), "another process works on the mirror")
        holder.kill()

    assert texts(world.source().snapshot()) == {"a.yaml": "a"}
