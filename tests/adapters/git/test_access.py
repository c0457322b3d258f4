"""Who may read: passwords, tokens, certificates and keys; and that none of them is seen where it does not belong."""

import os
import shutil
import socket
from pathlib import Path

import pytest
import structlog

from adapters.git.worlds import World, again, program, texts
from adapters.nomad.certificates import Authority, Pair
from gitservers import SSHD, Repository, SshServer, basic, key_pair
from herdsman.adapters.git import Credentials, Scheme
from herdsman.errors import SourceError

SECRET = "s3cr3t%$'\"\\ ü*"


@pytest.fixture
def authority(world: World) -> Authority:
    """Whoever it signs for is trusted by who names it."""
    return Authority(world.folder)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    """A certificate for the server."""
    return authority.issue("127.0.0.1")


# -- over HTTP ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        (Credentials(secret=SECRET), basic("x-access-token", SECRET)),
        (Credentials(username="ada", secret=SECRET), basic("ada", SECRET)),
        (Credentials(secret="abc", scheme=Scheme.BEARER), "Bearer abc"),
    ],
)
def test_a_secret_opens(given: Credentials, accepted: str, world: World, fleet: Repository) -> None:
    """A token alone, user and password, and a bearer token, whatever is in them."""
    server = world.serve(accept={accepted})
    source = world.source(server.url("fleet.git"), credentials=given)

    assert texts(source.snapshot()) == {"a.yaml": "a"}
    assert accepted in {r.authorization for r in server.requests}


def test_a_user_in_the_url(world: World, fleet: Repository) -> None:
    """It is the one whose password is given."""
    server = world.serve(accept={basic("ada", "pw")})
    source = world.source(server.url("fleet.git", user="ada"), credentials=Credentials(secret="pw"))

    assert texts(source.snapshot()) == {"a.yaml": "a"}
    assert "ada" not in source.describe()


@pytest.mark.parametrize(
    "given", [Credentials(), Credentials(secret="wrong"), Credentials(secret="x", scheme=Scheme.BEARER)]
)
def test_a_secret_that_does_not_open(given: Credentials, world: World, fleet: Repository) -> None:
    """It is an error that says what to look at, and nobody is asked on a terminal."""
    source = world.source(world.serve(accept={basic("ada", "pw")}).url("fleet.git"), credentials=given)

    with pytest.raises(SourceError, match="does not accept the credentials"):
        source.snapshot()


def test_a_secret_file_is_read_again(world: World, fleet: Repository) -> None:
    """Tokens that live an hour, like those of a GitHub App, are replaced under way, with or without a line's end."""
    server, token = world.serve(), world.folder / "token"
    source = world.source(server.url("fleet.git"), credentials=Credentials(secret_file=token))
    for number, end in enumerate(["", "\n", " \r\n"]):
        server.accept = {basic("x-access-token", f"token-{number}")}
        token.write_text(f"token-{number}{end}")
        fleet.commit({"a.yaml": f"{number}"})

        assert texts(again(source)) == {"a.yaml": f"{number}"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb", "more than one line"),
        (b"a\x00b", "more than one line"),
        (b"\xff\xfe", "it is not text"),
    ],
)
def test_a_secret_file_that_cannot_be_used(content: bytes | None, words: str, world: World, fleet: Repository) -> None:
    """The error names the file, never what is in it; a second line would be a header of its own."""
    token = world.folder / "token"
    if content is not None:
        token.write_bytes(content)
    source = world.source(world.serve().url("fleet.git"), credentials=Credentials(secret_file=token))

    with pytest.raises(SourceError, match=words) as caught:
        source.snapshot()
    assert str(token) in caught.value.message


def test_a_secret_stays_at_home(world: World, fleet: Repository) -> None:
    """A redirect to another server does not take the password along, whichever way it is told."""
    for given in (Credentials(secret="pw"), Credentials(secret="pw", scheme=Scheme.BEARER)):
        thief = world.serve(accept={basic("x", "never")})
        server = world.serve()
        server.fault = lambda handler, to=thief: handler.answer(302, b"", {"Location": to.url("") + handler.path[1:]})  # type: ignore[misc]
        source = world.source(server.url("fleet.git"), credentials=given)
        with pytest.raises(SourceError):
            source.snapshot()

        assert {r.authorization for r in thief.requests} <= {""}
        assert bool(thief.requests) is (given.scheme is Scheme.BASIC)


def test_a_redirect_on_the_same_server_keeps_the_secret(world: World, fleet: Repository) -> None:
    """A repository that was renamed at its host is still found."""
    server = world.serve(accept={basic("x-access-token", "pw")})

    def redirect(handler: object) -> bool:
        path = getattr(handler, "path")  # noqa: B009
        location = {"Location": server.url("fleet.git") + path.removeprefix("/old.git")}
        return path.startswith("/old.git") and getattr(handler, "answer")(301, b"", location)  # noqa: B009

    server.fault = redirect
    source = world.source(server.url("old.git"), credentials=Credentials(secret="pw"))

    assert texts(source.snapshot()) == {"a.yaml": "a"}
    assert "has moved to" in source.snapshot().warnings[0]


def test_https_never_falls_back_to_http(world: World, fleet: Repository, authority: Authority, pair: Pair) -> None:
    """Nobody on the way can lead a secure source to an insecure one."""
    plain = world.serve()
    server = world.serve(context=authority.server_context(pair))
    server.fault = lambda handler: handler.answer(302, b"", {"Location": plain.url("") + handler.path[1:]})
    source = world.source(
        server.url("fleet.git"), credentials=Credentials(ca_file=authority.cert), allow_insecure=False
    )
    with pytest.raises(SourceError):
        source.snapshot()

    assert plain.requests == []


def test_an_authority_of_ones_own(world: World, fleet: Repository, authority: Authority, pair: Pair) -> None:
    """Who names the authority is served; nobody else trusts it."""
    server = world.serve(context=authority.server_context(pair))
    url = server.url("fleet.git")

    trusting = world.source(url, credentials=Credentials(ca_file=authority.cert), allow_insecure=False)
    assert texts(trusting.snapshot()) == {"a.yaml": "a"}
    for given in (Credentials(), Credentials(ca_file=Authority(world.folder, "other").cert)):
        with pytest.raises(SourceError, match="no trusted connection"):
            world.source(url, credentials=given, allow_insecure=False).snapshot()


def test_a_certificate_for_another_host(world: World, fleet: Repository, authority: Authority) -> None:
    """It is not trusted, whoever signed it."""
    server = world.serve(context=authority.server_context(authority.issue("git.example")))
    with pytest.raises(SourceError, match="no trusted connection"):
        world.source(server.url("fleet.git"), credentials=Credentials(ca_file=authority.cert)).snapshot()


def test_mutual_tls(world: World, fleet: Repository, authority: Authority, pair: Pair) -> None:
    """A server that wants to see a certificate is shown one; without it, it serves nobody."""
    client = authority.issue("operator")
    server = world.serve(context=authority.server_context(pair, clients=authority.cert))
    given = Credentials(ca_file=authority.cert, client_cert=client.cert, client_key=client.key)

    assert texts(world.source(server.url("fleet.git"), credentials=given).snapshot()) == {"a.yaml": "a"}
    with pytest.raises(SourceError):
        world.source(server.url("fleet.git"), credentials=Credentials(ca_file=authority.cert)).snapshot()


def test_a_proxy(world: World, fleet: Repository) -> None:
    """Where one is named, everything goes through it, and its password is no secret of anybody else."""
    proxy = world.serve()
    source = world.source("http://git.example/fleet.git", proxy=f"http://me:pr0xy@127.0.0.1:{proxy.port}")
    asked: list[str] = []

    def forward(handler: object) -> bool:
        asked.append(getattr(handler, "path"))  # noqa: B009
        handler.path = getattr(handler, "path").removeprefix("http://git.example")  # type: ignore[attr-defined]  # noqa: B009
        return False

    proxy.fault = forward

    assert texts(source.snapshot()) == {"a.yaml": "a"}
    assert all(path.startswith("http://git.example/") for path in asked)


# -- over ssh ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sshd(world: World) -> SshServer:
    """A real server, for a key of its own."""
    if not SSHD:
        pytest.skip("sshd is not installed")
    return world.stack.enter_context(SshServer(world.folder / "ssh"))


def opened(sshd: SshServer, **other: Path) -> Credentials:
    """What opens it, but for what is said otherwise."""
    return Credentials(**{"ssh_key": sshd.files.key, "known_hosts": sshd.files.known_hosts, **other})  # type: ignore[arg-type]


def test_ssh(world: World, fleet: Repository, sshd: SshServer) -> None:
    """A key, and a host that is known."""
    source = world.source(sshd.url(fleet.path), credentials=opened(sshd), allow_insecure=False)
    assert texts(source.snapshot()) == {"a.yaml": "a"}
    fleet.commit({"a.yaml": "new"})

    assert texts(again(source)) == {"a.yaml": "new"}


def test_the_short_form_of_ssh(world: World, fleet: Repository, sshd: SshServer) -> None:
    """`host:path` starts from the home of whoever logs in; it is handed on as it is written."""
    source = world.source(f"nobody@127.0.0.1:{fleet.path}", credentials=opened(sshd))
    assert source.describe() == f"nobody@127.0.0.1:{fleet.path} (branch main)"

    with pytest.raises(SourceError):  # port 22 is not the test's
        source.snapshot()


def test_odd_paths_of_keys(world: World, fleet: Repository, sshd: SshServer) -> None:
    """Spaces, percent signs and what a shell would read in the path of a key are a part of its name."""
    folder = world.folder / "a b %h $(touch x) ;'"
    folder.mkdir()
    for path in (sshd.files.key, sshd.files.known_hosts):
        shutil.copy2(path, folder / path.name)
    given = Credentials(ssh_key=folder / "user", known_hosts=folder / "known_hosts")

    assert texts(world.source(sshd.url(fleet.path), credentials=given).snapshot()) == {"a.yaml": "a"}


def test_a_path_that_ssh_cannot_take(world: World, fleet: Repository, sshd: SshServer) -> None:
    """A quote in the path of a key would end its name early: it is refused."""
    with pytest.raises(SourceError, match="ssh cannot take the path"):
        world.source(sshd.url(fleet.path), credentials=opened(sshd, ssh_key=world.folder / 'a"b')).snapshot()


def test_a_key_that_is_not_accepted(world: World, fleet: Repository, sshd: SshServer) -> None:
    """Another key, one that others may read, and one that is not there are told apart from a broken network."""
    url = sshd.url(fleet.path)
    with pytest.raises(SourceError, match="does not accept the ssh key"):
        world.source(url, credentials=opened(sshd, ssh_key=key_pair(world.folder / "other"))).snapshot()
    with pytest.raises(SourceError, match="ssh key"):
        world.source(url, credentials=opened(sshd, ssh_key=world.folder / "gone")).snapshot()
    sshd.files.key.chmod(0o644)
    with pytest.raises(SourceError, match="others may read its file"):
        world.source(url, credentials=opened(sshd)).snapshot()


def test_a_host_that_is_not_known(world: World, fleet: Repository, sshd: SshServer) -> None:
    """A host without a key, or with another than known_hosts names, is not spoken to, and never learnt."""
    unknown, other = world.folder / "empty", world.folder / "changed"
    unknown.write_text("")
    other.write_text(f"[127.0.0.1]:{sshd.port} {key_pair(world.folder / 'h').with_suffix('.pub').read_text()}")
    for known_hosts in (unknown, other):
        before = known_hosts.read_text()
        with pytest.raises(SourceError, match="is not the one that known_hosts names"):
            world.source(sshd.url(fleet.path), credentials=opened(sshd, known_hosts=known_hosts)).snapshot()

        assert known_hosts.read_text() == before


def test_no_repository_over_ssh(world: World, fleet: Repository, sshd: SshServer) -> None:
    """It is told of as such."""
    with pytest.raises(SourceError, match="there is no repository at"):
        world.source(sshd.url(world.repos / "gone.git"), credentials=opened(sshd)).snapshot()


def test_nobody_listens_over_ssh(world: World, fleet: Repository, sshd: SshServer) -> None:
    """A server that is down is one that cannot be reached."""
    source = world.source(sshd.url(fleet.path), credentials=opened(sshd))
    sshd.close()

    with pytest.raises(SourceError, match="cannot be reached"):
        source.snapshot()


# -- what is seen of secrets -------------------------------------------------------------------------------------------


def recorder(world: World) -> tuple[str, Path]:
    """A git that writes down its arguments and environment before it does what it is asked."""
    record = world.folder / "record"
    record.mkdir()
    script = (
        f'n=$(mktemp -p {record}); tr "\\0" "\\n" < /proc/self/cmdline > "$n.argv"; env > "$n.env"; pwd > "$n.cwd"\n'
        f'printf "%s\\n" "$@" > "$n.args"; exec {shutil.which("git")} "$@"'
    )
    return program(world.folder / "bin", script), record


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("good", [True, False])
def test_a_secret_is_in_no_arguments_logs_or_errors(
    scheme: Scheme, good: bool, world: World, fleet: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is in the environment of the commands that speak to the remote, and nowhere else: not on the disk either."""
    secret = "5ecret-Of-Th3-Fleet"
    wrapper, record = recorder(world)
    accepted = basic("x-access-token", secret) if scheme is Scheme.BASIC else f"Bearer {secret}"
    server = world.serve(accept={accepted if good else "Basic never"})
    given = Credentials(secret=secret, scheme=scheme)
    source = world.source(server.url("fleet.git"), credentials=given, git=wrapper)
    said = ""
    with structlog.testing.capture_logs() as logs:
        try:
            source.snapshot()
            fleet.commit({"a.yaml": "new"})
            again(source)
        except SourceError as error:
            said = f"{error} {error.__cause__!r} {error.__context__!r}"
    assert bool(said) is not good
    seen = [path for path in record.iterdir() if secret in path.read_text()]
    remote = {path.stem for path in record.glob("*.args") if path.read_text().split("\n")[0] in ("fetch", "ls-remote")}

    assert seen
    assert {(path.suffix, path.stem in remote) for path in seen} == {(".env", True)}
    assert secret not in f"{said} {logs} {world.warnings} {source.state()} {source.describe()} {capfd.readouterr()}"
    on_disk = [p for p in world.cache.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert on_disk == []


def test_a_secret_that_a_server_repeats_is_blotted_out(world: World, fleet: Repository) -> None:
    """What git repeats of a server's words does not hold it either."""
    words = b"ERR token 5ecret is no good"
    body = b"001e# service=git-upload-pack\n0000" + b"%04x" % (len(words) + 4) + words
    server = world.serve()
    server.fault = lambda handler: handler.answer(
        200, body, {"Content-Type": "application/x-git-upload-pack-advertisement"}
    )
    source = world.source(server.url("fleet.git"), credentials=Credentials(secret="5ecret"))

    with pytest.raises(SourceError, match="token … is no good"):
        source.snapshot()


def test_nothing_of_the_surroundings_gets_in(
    world: World, fleet: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither somebody's configuration nor variables of git, of tracing, of ssh or of proxies change what is done."""
    trap = tmp_path / "trap"
    home = tmp_path / "somebody"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[url "file://{trap}"]\n insteadOf = file://\n[core]\n sshCommand = touch {trap}\n'
    )
    hostile = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_DIR": str(trap),
        "GIT_SSH_COMMAND": f"touch {trap}",
        "GIT_ASKPASS": f"touch {trap}",
        "GIT_TRACE": str(trap),
        "GIT_TRACE_CURL": str(trap),
        "GIT_EXEC_PATH": str(home),
        "GIT_PROXY_COMMAND": f"touch {trap}",
        "GIT_OBJECT_DIRECTORY": str(trap),
        "http_proxy": "http://127.0.0.1:1",
        "SSH_AUTH_SOCK": str(trap),
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    wrapper, record = recorder(world)

    assert texts(world.source(git=wrapper).snapshot()) == {"a.yaml": "a"}
    assert not trap.exists()
    inherited = {line.partition("=")[0] for path in record.glob("*.env") for line in path.read_text().splitlines()}
    own = {"HOME", "PATH", "LC_ALL", "PWD", "SHLVL", "_", "GIT_DIR"}
    assert {name for name in inherited if not name.startswith(("GIT_CONFIG_", "GIT_"))} <= own
    assert not inherited & {"GIT_TRACE", "GIT_TRACE_CURL", "GIT_EXEC_PATH", "GIT_PROXY_COMMAND", "GIT_ASKPASS"}


def test_hooks_are_not_run(world: World, fleet: Repository) -> None:
    """Whoever can write into the mirror cannot make git run it."""
    source = world.source()
    source.snapshot()
    trap = world.folder / "trap"
    hooks = world.mirror() / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-update", "post-merge", "pre-auto-gc", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    fleet.commit({"a.yaml": "new"})

    assert texts(again(source)) == {"a.yaml": "new"}
    assert not trap.exists()


def test_the_cache_is_private(world: World, fleet: Repository) -> None:
    """Specs may be nobody else's business."""
    world.source().snapshot()
    (folder,) = world.cache.iterdir()

    assert folder.stat().st_mode & 0o077 == 0


def test_a_server_that_is_no_server(world: World) -> None:
    """A port that accepts and says nothing does not hold the source for longer than its timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/fleet.git"
        with pytest.raises(SourceError):
            world.source(url, timeout=0.5).snapshot()


def test_a_repository_of_another_user(world: World, fleet: Repository) -> None:
    """Git does not serve it from a file; that is told as what it is."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a repository away")
    for path in (fleet.path, *fleet.path.rglob("*")):
        os.chown(path, 12345, 12345)

    with pytest.raises(SourceError, match="belongs to another user"):
        world.source().snapshot()
