"""Bad days of a writer: the remote, the way there, the disk, a crash. A write is whole or is not."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.git.worlds import World, program, wait_for
from adapters.git.writers import history, hook, request, requests_of, show, writer
from adapters.nomad.certificates import Authority
from gitservers import SSHD, GitDaemon, HttpServer, Repository, SshServer, basic, key_pair
from herdsman.adapters.git import Credentials
from herdsman.adapters.git.command import Done
from herdsman.adapters.git.outbox import Outbox, Record, Records
from herdsman.adapters.git.pushing import Verdict, judge
from herdsman.adapters.git.writer import GitWriter
from herdsman.errors import Conflict, Forbidden, HerdsmanError, Refused, SettingsError, Unavailable
from herdsman.model.writes import digest

SECRET = "s3cr3t%$'\"\\ ü*"


def away(fleet: Repository) -> Path:
    """The remote is not there any more; the value is where it went."""
    return fleet.path.rename(fleet.path.with_name("away.git"))


def back(fleet: Repository) -> None:
    """It is there again."""
    fleet.path.with_name("away.git").rename(fleet.path)


# -- a remote that is away ---------------------------------------------------------------------------------------------


def test_refused_while_the_remote_is_away(world: World, fleet: Repository) -> None:
    """Nothing is changed, then or later, and what is known can still be read; the same request goes through later."""
    opened = writer(world)
    opened.write(request("r0", {"a.yaml": "known"}))
    away(fleet)
    with pytest.raises(Unavailable, match="nothing was changed"):
        opened.write(request("r1"))
    world.clock.advance(1000)
    assert opened.read("a.yaml") == b"known"
    assert (opened.pending(), opened.flush()) == (0, 0)
    back(fleet)

    assert requests_of(fleet) == ["r0"]
    assert not opened.write(request("r1")).repeated


def test_nothing_known_yet(world: World, fleet: Repository) -> None:
    """A writer that has never seen the remote can neither read, nor keep what it cannot judge."""
    away(fleet)
    opened = writer(world, keep_unpushed=True)
    with pytest.raises(Unavailable, match="nothing was changed"):
        opened.write(request("r"))
    with pytest.raises(Unavailable):
        opened.read("a.yaml")
    assert opened.pending() == 0


def test_kept_while_the_remote_is_away(world: World, fleet: Repository) -> None:
    """They are answered as not pushed, can be read, and go in their order once the remote is back."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    kept = [opened.write(request(f"r{n}", {"n.yaml": f"{n}"})) for n in (1, 2, 3)]
    assert [(w.pushed, w.repeated) for w in kept] == [(False, False)] * 3
    assert (opened.read("n.yaml"), opened.pending(), opened.flush()) == (b"3", 3, 3)
    again = opened.write(request("r2", {"n.yaml": "else"}))
    assert (again.revision, again.repeated, again.pushed) == (kept[1].revision, True, False)
    back(fleet)

    assert opened.flush() == 0
    assert requests_of(fleet) == ["r0", "r1", "r2", "r3"]
    assert fleet.head() == kept[-1].revision
    assert opened.write(request("r1")).repeated


def test_kept_over_a_restart(world: World, fleet: Repository) -> None:
    """What waits is on disk: a new process reads it, and its own first write comes after it."""
    first = writer(world, keep_unpushed=True)
    first.write(request("r0"))
    away(fleet)
    first.write(request("r1", {"a.yaml": "kept"}))
    first.close()
    second = writer(world, keep_unpushed=True)
    assert (second.pending(), second.read("a.yaml")) == (1, b"kept")
    back(fleet)
    fleet.commit({"theirs.yaml": "t"}, message="theirs")
    second.write(request("r2", {"a.yaml": "more"}, a=digest(b"kept")))

    assert history(fleet)[-3:] == ["theirs", "a change", "a change"]
    assert (requests_of(fleet), second.pending()) == (["r0", "r1", "r2"], 0)


def test_kept_without_a_cache(world: World, fleet: Repository) -> None:
    """The mirror may be lost: what waits is not in it."""
    first = writer(world, keep_unpushed=True)
    first.write(request("r0"))
    away(fleet)
    first.write(request("r1"))
    first.close()
    shutil.rmtree(world.cache)
    back(fleet)

    assert writer(world, keep_unpushed=True).flush() == 0
    assert requests_of(fleet) == ["r0", "r1"]


def test_killed_between_commit_and_push(world: World, fleet: Repository) -> None:
    """What was in the outbox then is pushed by the next process; asked for again, it is not done twice."""
    writer(world, keep_unpushed=True).write(request("r0"))
    (folder,) = (world.folder / "state").iterdir()
    Outbox(folder).put(request("r1"), 1_700_000_000)
    again = writer(world, keep_unpushed=True).write(request("r1"))

    assert (again.repeated, again.pushed, again.revision) == (True, True, fleet.head())
    assert requests_of(fleet) == ["r0", "r1"]


def test_killed_between_push_and_record(world: World, fleet: Repository) -> None:
    """The outbox still has what the branch has already: it is found there, and not done twice."""
    opened = writer(world, keep_unpushed=True)
    written = opened.write(request("r1"))
    (folder,) = (world.folder / "state").iterdir()
    (folder / "requests").unlink()
    Outbox(folder).put(request("r1"), 1_700_000_000)
    second = writer(world, keep_unpushed=True)

    assert second.flush() == 0
    assert (fleet.head(), requests_of(fleet)) == (written.revision, ["r1"])


def test_kept_and_overtaken(world: World, fleet: Repository) -> None:
    """What it expected is there no more: it is given up with a warning, others go on, and who asks again is told."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    opened.write(request("mine", {"a.yaml": "mine"}, a=digest(b"a")))
    opened.write(request("other"))
    back(fleet)
    fleet.commit({"a.yaml": "theirs"})

    assert opened.flush() == 0
    assert (show(fleet, "a.yaml"), requests_of(fleet)) == ("theirs", ["r0", "other"])
    assert len([w for w in world.warnings if "mine" in w and "given up" in w]) == 1
    with pytest.raises(Conflict, match="not as expected"):
        writer(world, keep_unpushed=True).write(request("mine", {"a.yaml": "mine"}))


def test_kept_and_refused(world: World, fleet: Repository) -> None:
    """The server's rule ends it, with the server's words for who asks again."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    opened.write(request("r1"))
    back(fleet)
    hook(fleet, "pre-receive", "echo closed for the summer >&2; exit 1")

    assert opened.flush() == 0
    with pytest.raises(Refused, match="closed for the summer"):
        opened.write(request("r1"))
    assert requests_of(fleet) == ["r0"]


def test_a_conflict_with_what_waits(world: World, fleet: Repository) -> None:
    """While the remote is away, what is known here is what counts."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    opened.write(request("r1", {"a.yaml": "1"}))
    with pytest.raises(Conflict):
        opened.write(request("r2", {"a.yaml": "2"}, a=digest(b"a")))
    assert not opened.write(request("r3", {"a.yaml": "2"}, a=digest(b"1"))).pushed
    assert opened.pending() == 2


def test_a_kept_pull_request(world: World, fleet: Repository) -> None:
    """It waits like any write, and gets its branch once the remote is back."""
    opened = writer(world, keep_unpushed=True, pull_requests=True)
    opened.write(request("one"))
    away(fleet)
    kept = opened.write(request("two"))
    back(fleet)

    assert (kept.pushed, kept.branch, opened.flush()) == (False, "herdsman/two", 0)
    assert fleet.head("herdsman/two") == kept.revision


def test_what_waits_goes_by_itself(world: World, fleet: Repository) -> None:
    """`run` tries again and again, and ends when it is told to."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    opened.write(request("r1"))
    stop = threading.Event()
    thread = threading.Thread(target=opened.run, args=(stop.is_set,))
    thread.start()
    back(fleet)

    def is_done() -> bool:
        world.clock.advance(10)
        return opened.pending() == 0

    wait_for(is_done)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert requests_of(fleet) == ["r0", "r1"]


def test_the_outbox_cannot_be_written(world: World, fleet: Repository) -> None:
    """What cannot be kept is refused, not promised."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    (folder,) = (world.folder / "state").iterdir()
    shutil.rmtree(folder / "outbox")
    (folder / "outbox").write_text("in the way")
    with pytest.raises(Unavailable, match="nothing was changed"):
        opened.write(request("r1"))


def test_a_file_in_the_outbox_that_is_none_of_ours(world: World, fleet: Repository) -> None:
    """It is set aside, and stops nothing."""
    opened = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    (folder,) = (world.folder / "state").iterdir()
    (folder / "outbox" / "000000000001.json").write_text('{"id": 1')
    (folder / "outbox" / "000000000002.json").write_text('{"id": "x", "edits": [{}]}')

    assert opened.flush() == 0
    assert len(list((folder / "outbox").glob("*.bad"))) == 2


def test_records_are_shortened_and_mended(tmp_path: Path) -> None:
    """A line that a crash cut off counts for nothing and spoils no other; the oldest of very many are forgotten."""
    path = tmp_path / "requests"
    Records(path).add([Record("r1", "abc", "main")])
    path.write_bytes(path.read_bytes() + b"r2 de")
    records = Records(path)
    records.add([Record("r3", "f")])
    assert (records.find("r1"), records.find("r3")) == (Record("r1", "abc", "main"), Record("r3", "f"))
    records.add(Record(f"n{n}", "x") for n in range(40_001))
    fresh = Records(path)

    assert (fresh.find("r1"), fresh.find("n40000")) == (None, Record("n40000", "x"))
    assert len(path.read_text().splitlines()) == 20_000


# -- a remote that does not want ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [False, True])
def test_a_protected_branch(keep: bool, world: World, fleet: Repository) -> None:
    """The server's words reach who asked; nothing was changed, and nothing is kept."""
    hook(fleet, "pre-receive", "echo 'main is protected: ask \\033[31mAda' >&2; exit 1")
    before = fleet.head()
    opened = writer(world, world.serve().url("fleet.git"), keep_unpushed=keep)
    with pytest.raises(Refused, match=r"nothing was changed: .*main is protected: ask") as caught:
        opened.write(request("r"))

    assert caught.value.message.isprintable()
    assert (fleet.head(), opened.pending()) == (before, 0)
    hook(fleet, "pre-receive", "exit 0")
    assert not opened.write(request("r")).repeated


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_credentials_that_are_not_accepted(keep: bool, known: bool, world: World, fleet: Repository) -> None:
    """Before the first look or later: it is forbidden, nothing is kept, and the secret is nowhere to be seen."""
    server = world.serve(accept={basic("x-access-token", SECRET)} if known else {"none"})
    opened = writer(world, server.url("fleet.git"), credentials=Credentials(secret=SECRET), keep_unpushed=keep)
    if known:
        opened.write(request("r0"))
        server.accept = {"none"}
    with pytest.raises(Forbidden, match="nothing was changed") as caught:
        opened.write(request("r"))

    assert SECRET not in str(caught.value)
    assert opened.pending() == 0
    assert requests_of(fleet) == (["r0"] if known else [])


def test_a_token_that_may_only_read(world: World, fleet: Repository) -> None:
    """The server says 403 to the push alone."""
    fleet.git("config", "http.receivepack", "false")
    with pytest.raises(Forbidden, match="does not let Herdsman write") as caught:
        writer(world, world.serve().url("fleet.git")).write(request("r"))
    assert "right to write" in caught.value.hint


def test_a_token_file_is_read_again(world: World, fleet: Repository) -> None:
    """A new token counts for the next write."""
    token = world.folder / "token"
    server = world.serve()
    opened = writer(world, server.url("fleet.git"), credentials=Credentials(secret_file=token))
    for n in range(2):
        server.accept = {basic("x-access-token", f"t{n}")}
        token.write_text(f"t{n}\n")
        opened.write(request(f"r{n}"))
    token.unlink()
    with pytest.raises(Unavailable, match=r"secret .* cannot be used.*nothing was changed"):
        opened.write(request("r2"))


@pytest.mark.skipif(not SSHD, reason="no sshd")
def test_an_ssh_key_that_is_not_accepted(world: World, fleet: Repository) -> None:
    """It is forbidden, as over HTTP."""
    server = world.stack.enter_context(SshServer(world.folder / "ssh"))
    key = key_pair(world.folder / "other")
    given = Credentials(ssh_key=key, known_hosts=server.files.known_hosts)
    with pytest.raises(Forbidden, match="nothing was changed"):
        writer(world, server.url(fleet.path), credentials=given).write(request("r"))


def test_secrets_are_not_in_argv_or_on_disk(world: World, fleet: Repository) -> None:
    """Neither git's arguments nor the mirror nor the outbox hold a secret."""
    log = world.folder / "argv"
    git = program(world.folder / "bin", f'echo "$@" >> {log}\nexec git "$@"')
    server = world.serve(accept={basic("x-access-token", "pa55word")})
    opened = writer(
        world, server.url("fleet.git"), credentials=Credentials(secret="pa55word"), git=git, keep_unpushed=True
    )
    opened.write(request("r0"))
    server.close()
    opened.write(request("r1"))

    assert "push" in log.read_text()
    kept = [p for folder in (world.cache, world.folder / "state") for p in folder.rglob("*") if p.is_file()]
    assert kept
    assert not [p for p in (log, *kept) if b"pa55word" in p.read_bytes()]


def test_over_tls(world: World, fleet: Repository) -> None:
    """With the authority named it is written; without it nothing is, and nothing leaks."""
    authority = Authority(world.folder)
    server = world.serve(context=authority.server_context(authority.issue("127.0.0.1")))
    with pytest.raises(Unavailable, match="no trusted connection"):
        writer(world, server.url("fleet.git"), at="1").write(request("r"))
    given = Credentials(ca_file=authority.cert)
    assert writer(world, server.url("fleet.git"), at="2", credentials=given).write(request("r")).pushed


# -- a connection that breaks ------------------------------------------------------------------------------------------


def break_a_push(server: HttpServer, *, after: bool, then: Callable[[Any], bool] = lambda _: False) -> None:
    """Let the next push end without an answer, carried out (*after*) or not; *then* is the fault from there on."""

    def afterwards(handler: Any) -> bool:
        server.cut = None
        return then(handler)

    def fault(handler: Any) -> bool:
        if handler.command == "GET" or not handler.path.endswith("receive-pack"):
            return False
        server.fault = afterwards
        if after:
            server.cut = 0
        else:
            handler.hang_up(b"")
        return not after

    server.fault = fault


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_a_push_that_breaks_off(after: bool, keep: bool, world: World, fleet: Repository) -> None:
    """Whether the server had carried it out or not: it is looked up, and done once."""
    server = world.serve()
    opened = writer(world, server.url("fleet.git"), keep_unpushed=keep)
    opened.write(request("r0"))
    break_a_push(server, after=after)
    written = opened.write(request("r1"))

    assert (written.pushed, written.repeated, written.revision) == (True, False, fleet.head())
    assert requests_of(fleet) == ["r0", "r1"]


def test_nobody_knows(world: World, fleet: Repository) -> None:
    """The push broke off and the remote went away: the error claims nothing that is not known."""
    server = world.serve()
    opened = writer(world, server.url("fleet.git"))
    opened.write(request("r0"))
    break_a_push(server, after=True, then=lambda handler: handler.answer(503))
    with pytest.raises(Unavailable, match="whether the write arrived is not known") as caught:
        opened.write(request("r1"))
    assert "same request ID" in caught.value.hint
    server.fault = lambda _: False
    assert opened.write(request("r1")).repeated
    assert requests_of(fleet) == ["r0", "r1"]


def test_a_push_that_hangs(world: World, fleet: Repository) -> None:
    """It has an end, with everything that it started."""
    git = program(world.folder / "bin", 'test "$1" = push && exec sleep 60\nexec git "$@"')
    opened = writer(world, git=git, timeout=0.5)
    with pytest.raises(Unavailable, match="did not end in time"):
        opened.write(request("r"))


def test_a_damaged_mirror(world: World, fleet: Repository) -> None:
    """It is made anew by itself, and the write goes through."""
    opened = writer(world)
    opened.write(request("r0"))
    (mirror,) = world.cache.glob("*/*/repo.git")
    for path in (*mirror.glob("objects/pack/*"), *mirror.glob("objects/??/*")):
        path.unlink()
    opened._mirror.objects.close()
    opened._carrier._trees._known.clear()
    opened.write(request("r1"))

    assert requests_of(fleet) == ["r0", "r1"]
    assert opened.read("r1.yaml") == b"r1"


def test_a_cache_that_cannot_be_used(world: World, fleet: Repository) -> None:
    """It is an error with words, not a traceback, and nothing was changed."""
    world.cache.write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be used"):
        writer(world).write(request("r"))


def test_a_writer_that_is_closed(world: World, fleet: Repository) -> None:
    """What comes later fails, with words."""
    opened = writer(world)
    opened.write(request("r0"))
    opened.close()
    with pytest.raises(Unavailable, match="closed"):
        opened.write(request("r1"))


def test_a_protocol_that_cannot_push(world: World, fleet: Repository) -> None:
    """`git daemon` serves readers: the error says that nothing was changed."""
    daemon = world.stack.enter_context(GitDaemon(world.repos))
    with pytest.raises(HerdsmanError) as caught:
        writer(world, daemon.url("fleet.git")).write(request("r"))
    assert not isinstance(caught.value, SettingsError)
    assert requests_of(fleet) == []


# -- what git says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("summary", "err", "verdict"),
    [
        ("[rejected] (fetch first)", "", Verdict.RACED),
        ("[rejected] (stale info)", "", Verdict.RACED),
        ("[rejected] (non-fast-forward)", "", Verdict.RACED),
        ("[remote rejected] (cannot lock ref 'refs/heads/main': is at a but expected b)", "", Verdict.RACED),
        ("[remote rejected] (failed to update ref)", "", Verdict.RACED),
        ("[remote rejected] (incorrect old value provided)", "", Verdict.RACED),
        ("[remote rejected] (pre-receive hook declined)", "remote: GitLab: no", Verdict.REFUSED),
        ("[remote rejected] (protected branch hook declined)", "remote: error: GH006: Protected", Verdict.REFUSED),
        ("[remote rejected] (unpacker error)", "remote: fatal: No space left", Verdict.AWAY),
        ("[remote failure] (remote failed to report status)", "", Verdict.BROKEN),
        ("", "fatal: Authentication failed for 'http://x/'", Verdict.FORBIDDEN),
        ("", "fatal: unable to access 'http://x/': The requested URL returned error: 403", Verdict.FORBIDDEN),
        ("", "git@github.com: Permission denied (publickey).", Verdict.FORBIDDEN),
        ("", "ERROR: Permission to a/b.git denied to c.\nfatal: Could not read from remote", Verdict.FORBIDDEN),
        ("", "ERROR: The key you are authenticating with has been marked as read only.", Verdict.FORBIDDEN),
        ("", "fatal: unable to access 'https://x/': Could not resolve host: x", Verdict.AWAY),
        ("", "ssh: connect to host x port 22: Connection refused", Verdict.AWAY),
        ("", "error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413", Verdict.REFUSED),
        ("", "fatal: the remote end hung up unexpectedly", Verdict.BROKEN),
        ("", "", Verdict.BROKEN),
    ],
)
def test_what_a_push_came_to(summary: str, err: str, verdict: Verdict) -> None:
    """By what git and the server say; what tells nothing is taken for unknown."""
    out = f"To https://x/\n!\trefs/a:refs/heads/main\t{summary}\nDone\n" if summary else ""
    pushed = judge(Done(1, out.encode(), err), "the remote")

    assert pushed.verdict is verdict
    assert pushed.message.startswith("the remote") or "the remote" in pushed.message


def test_done_is_done() -> None:
    """A push that ended well needs no words."""
    assert judge(Done(0, b"", ""), "x").verdict is Verdict.DONE


def test_what_is_kept_is_what_was_asked(world: World, fleet: Repository) -> None:
    """Bytes, deletions and expectations come back from the disk as they went."""
    opened: GitWriter = writer(world, keep_unpushed=True)
    opened.write(request("r0"))
    away(fleet)
    asked = request("r1", {"a.yaml": None, "b/c.yaml": "\0\x7fü"}, message="-m x\n\nüö", a=digest(b"a"), c="")
    opened.write(asked)
    (folder,) = (world.folder / "state").iterdir()
    (kept,) = Outbox(folder).load()

    assert kept.request == asked
    assert kept.at == int(world.clock.now().timestamp())
    (path,) = (folder / "outbox").glob("*.json")
    assert json.loads(path.read_bytes())["id"] == "r1"
