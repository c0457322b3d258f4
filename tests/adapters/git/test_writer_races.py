"""Many writers at once: threads, processes with caches of their own, people who push. None is lost, none is doubled."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.git.worlds import World
from adapters.git.writers import files, history, hook, request, requests_of, show, writer
from gitservers import SSHD, Repository, SshServer, basic
from herdsman.adapters.git import Credentials
from herdsman.adapters.git.carrying import LONGEST_PAUSE, TRIES
from herdsman.adapters.git.command import Access
from herdsman.adapters.git.pushing import Pushed, Pusher
from herdsman.adapters.git.writer import GitWriter
from herdsman.errors import Conflict, Refused, Unavailable
from herdsman.model.writes import Written, digest

MANY = 50


def all_at_once(acts: Sequence[Callable[[], Written]]) -> list[Written]:
    """The answers, in this order; all begin at the same moment."""
    gate = threading.Barrier(len(acts))

    def act(one: Callable[[], Written]) -> Written:
        gate.wait(20)
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def two_writers(way: str, world: World, fleet: Repository) -> list[GitWriter]:
    """Two with caches of their own, as in two processes, or on two machines."""
    if way == "file":
        return [writer(world, at=at) for at in "12"]
    if way == "http":
        server = world.serve(accept={basic("ada", "pw")})
        given = Credentials(username="ada", secret="pw")
        return [writer(world, server.url("fleet.git"), at=at, credentials=given) for at in "12"]
    server_ = world.stack.enter_context(SshServer(world.folder / "ssh"))
    given = Credentials(ssh_key=server_.files.key, known_hosts=server_.files.known_hosts)
    return [writer(world, server_.url(fleet.path), at=at, credentials=given) for at in "12"]


@pytest.mark.parametrize(
    "way", ["file", "http", pytest.param("ssh", marks=pytest.mark.skipif(not SSHD, reason="no sshd"))]
)
def test_fifty_writes_at_once(way: str, world: World, fleet: Repository) -> None:
    """Over two writers, each with many callers: every one is a commit of its own, once, on one line."""
    writers = two_writers(way, world, fleet)
    acts = [
        lambda n=n: writers[n % 2].write(request(f"r{n}", {f"jobs/{n}.yaml": f"{n}", "log.yaml": f"{n}"}))
        for n in range(MANY)
    ]
    answers = all_at_once(acts)

    assert sorted(requests_of(fleet)) == sorted(f"r{n}" for n in range(MANY))
    assert len(files(fleet)) == MANY + 2
    assert fleet.git("rev-list", "--merges", "main") == ""
    assert int(fleet.git("rev-list", "--count", "main")) == MANY + 1
    for n, answer in enumerate(answers):
        assert (answer.pushed, answer.repeated) == (True, False)
        assert fleet.git("log", "-1", "--format=%(trailers:valueonly)", answer.revision) == f"r{n}"
        assert fleet.git("diff", "--name-only", f"{answer.revision}^", answer.revision).split() == [
            f"jobs/{n}.yaml", "log.yaml",
        ]  # fmt: skip


def test_who_waits_goes_together(world: World, fleet: Repository) -> None:
    """Fifty callers of one writer cost a few pushes, not fifty."""
    server = world.serve()
    opened = writer(world, server.url("fleet.git"))
    opened.write(request("first"))
    server.requests.clear()
    all_at_once([lambda n=n: opened.write(request(f"r{n}")) for n in range(MANY)])

    pushes = [r for r in server.requests if r.method == "POST" and r.path.endswith("git-receive-pack")]
    assert len(pushes) <= 10
    assert len(requests_of(fleet)) == MANY + 1


def test_one_request_asked_for_at_once(world: World, fleet: Repository) -> None:
    """It is carried out once, and everybody is told the same revision."""
    writers = two_writers("file", world, fleet)
    answers = all_at_once([lambda n=n: writers[n % 2].write(request("same", {"n.yaml": f"{n}"})) for n in range(10)])

    assert len({answer.revision for answer in answers}) == 1
    assert Counter(answer.repeated for answer in answers)[False] >= 1
    assert requests_of(fleet) == ["same"]


def test_one_file_changed_at_once(world: World, fleet: Repository) -> None:
    """By callers who all saw the same: the first wins, the others are told so, and nothing of theirs is written."""
    writers = two_writers("file", world, fleet)
    won: list[int] = []
    lost: list[int] = []

    def act(n: int) -> Written:
        try:
            done = writers[n % 2].write(request(f"r{n}", {"a.yaml": f"{n}", f"{n}.yaml": "x"}, a=digest(b"a")))
        except Conflict:
            lost.append(n)
            return Written("")
        won.append(n)
        return done

    all_at_once([lambda n=n: act(n) for n in range(12)])

    assert (len(won), len(lost)) == (1, 11)
    assert show(fleet, "a.yaml") == f"{won[0]}"
    assert files(fleet) == [f"{won[0]}.yaml", "a.yaml"]


def test_each_edits_what_the_other_left(world: World, fleet: Repository) -> None:
    """Callers who read again after a conflict all get through: a counter that they raise ends at their number."""
    fleet.commit({"a.yaml": "0"})
    writers = two_writers("file", world, fleet)

    def raise_it(n: int) -> Written:
        opened = writers[n % 2]
        for attempt in range(100):
            before = opened.read("a.yaml") or b""
            try:
                text = f"{int(before) + 1}"
                return opened.write(request(f"r{n}-{attempt}", {"a.yaml": text}, a=digest(before)))
            except Conflict:
                world.clock.advance(100)
        raise AssertionError("never")

    all_at_once([lambda n=n: raise_it(n) for n in range(8)])

    assert show(fleet, "a.yaml") == "8"


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let *act* happen between the making of commits and their push."""
    real = Pusher.push

    def push(self: Pusher, oid: str, *, to: str, over: str, access: Access) -> Pushed:
        act()
        return real(self, oid, to=to, over=over, access=access)

    monkeypatch.setattr(Pusher, "push", push)


def test_somebody_pushes_meanwhile(world: World, fleet: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that comes between building and pushing stays, and ours is built anew on top of it."""
    opened = writer(world)
    opened.write(request("r0"))
    theirs = ["theirs 1", "theirs 2", "theirs 3"]
    left = list(theirs)
    meanwhile(monkeypatch, lambda: left and fleet.commit({"x.yaml": left[0]}, message=left.pop(0)))
    written = opened.write(request("r1"))

    assert history(fleet)[-4:] == [*theirs, "a change"]
    assert (fleet.head(), show(fleet, "x.yaml")) == (written.revision, "theirs 3")


def test_somebody_is_always_faster(world: World, fleet: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to it: nothing was changed, and the error says why."""
    pauses: list[float] = []
    numbers = iter(range(100))
    meanwhile(monkeypatch, lambda: fleet.commit({"x.yaml": f"{next(numbers)}"}))
    with pytest.raises(Unavailable, match=r"changed by others all the time; nothing was changed"):
        writer(world, pause=pauses.append).write(request("r"))

    assert (requests_of(fleet), next(numbers), len(pauses)) == ([], TRIES, TRIES - 1)
    assert max(pauses) <= LONGEST_PAUSE


def test_what_was_taken_out_by_force_stays_out(world: World, fleet: Repository) -> None:
    """A branch that was set back is not set forward again by the next write, though that would be a fast-forward."""
    opened = writer(world)
    good = opened.write(request("good")).revision
    opened.write(request("bad"))
    fleet.git("update-ref", "refs/heads/main", good)
    opened.write(request("next"))

    assert requests_of(fleet) == ["good", "next"]
    assert opened.read("bad.yaml") is None
    assert opened.write(request("bad")).repeated


def test_a_branch_that_was_replaced(world: World, fleet: Repository) -> None:
    """Another history altogether is built upon like any."""
    opened = writer(world)
    opened.write(request("r0"))
    fleet.commit({"new.yaml": "n"}, orphan=True, message="from scratch")
    opened.write(request("r1"))

    assert history(fleet) == ["from scratch", "a change"]
    assert files(fleet) == ["new.yaml", "r1.yaml"]


def test_one_of_many_is_refused(world: World, fleet: Repository) -> None:
    """The server's rule hits the one that breaks it; those that went with it are carried out."""
    hook(
        fleet,
        "pre-receive",
        "while read old new ref; do"
        " if git diff --name-only $old $new | grep -q bad; then echo no bad files; exit 1; fi; done",
    )
    opened = writer(world)

    def act(n: int) -> Written:
        if n != 7:
            return opened.write(request(f"r{n}"))
        with pytest.raises(Refused, match="no bad files"):
            opened.write(request(f"r{n}", {"bad.yaml": "x"}))
        return Written("refused")

    answers = all_at_once([lambda n=n: act(n) for n in range(12)])

    assert sorted(requests_of(fleet)) == sorted(f"r{n}" for n in range(12) if n != 7)
    assert answers[7] == Written("refused")


def test_two_processes_share_a_cache(world: World, fleet: Repository) -> None:
    """It is better to give each its own, but nothing is lost or doubled."""
    writers = [writer(world), writer(world)]
    all_at_once([lambda n=n: writers[n % 2].write(request(f"r{n}")) for n in range(12)])

    assert sorted(requests_of(fleet)) == sorted(f"r{n}" for n in range(12))
    assert int(fleet.git("rev-list", "--count", "main")) == 13


def test_a_bug_leaves_nobody_waiting(world: World, fleet: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to the one who met it; those who waited with them are told to try again."""
    opened = writer(world)
    monkeypatch.setattr(opened._carrier, "carry_out", lambda _: 1 / 0)

    def act() -> Written:
        with pytest.raises((ZeroDivisionError, Unavailable)):
            opened.write(request("r"))
        return Written("")

    assert len(all_at_once([act] * 5)) == 5
