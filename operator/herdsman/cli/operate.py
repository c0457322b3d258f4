"""Commands that run the operator: `run` against a cluster, `dev` with a Nomad of its own."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from herdsman.errors import HerdsmanError, SettingsError

_COMMON: tuple[Callable[[Any], Any], ...] = (
    click.option("--specs", type=click.Path(path_type=Path), help="The directory of spec files."),
    click.option("--listen", metavar="HOST:PORT", help="Where API, dashboard and metrics listen (127.0.0.1:8080)."),
    click.option("--state", type=click.Path(path_type=Path), help="Where status and history are kept."),
    click.option("--fleet", help="The fleet's name where no Fleet document gives one (default)."),
    click.option("--resync", type=float, help="How often Nomad is listed whole, in seconds (60)."),
    click.option("--source-poll", type=float, help="How often the source is read without a hint, in seconds (30)."),
    click.option("--workers", type=int, help="How many specs are looked at at once (8)."),
    click.option("--log-format", type=click.Choice(["auto", "json", "console"]), help="auto asks the terminal."),
    click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="(info)"),
    click.option("--config", "file", type=click.Path(path_type=Path), envvar="HERDSMAN_CONFIG", help="herdsman.yaml."),
)

_GIT: tuple[Callable[[Any], Any], ...] = (
    click.option("--git", metavar="URL", help="The Git repository that holds the specs; instead of --specs."),
    click.option("--branch", help="The branch that is followed (the remote's default)."),
    click.option("--tag", help="The tag that is followed; --semver, --commit: instead of a branch."),
    click.option("--semver", metavar="RANGE", help="The newest tag in this range is followed, like '>=1.2 <2'."),
    click.option("--commit", metavar="ID", help="This commit and no other, by its full ID."),
    click.option("--path", metavar="DIR", help="The directory inside the repository that holds the specs."),
    click.option("--include", multiple=True, metavar="PATTERN", help="Nothing else counts; gitignore syntax."),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="These do not count; gitignore syntax."),
    click.option("--git-interval", type=float, help="How often the remote is asked, in seconds (60)."),
    click.option("--git-timeout", type=float, help="How long to wait for the remote, in seconds (60)."),
    click.option("--git-username", help="For HTTPS; a token goes into HERDSMAN_GIT_TOKEN or a file."),
    click.option("--git-token-file", type=click.Path(path_type=Path), help="Read again for every call."),
    click.option("--git-scheme", type=click.Choice(["basic", "bearer"]), help="How the token is told (basic)."),
    click.option("--git-cacert", type=click.Path(path_type=Path), help="The authorities of the Git server."),
    click.option("--git-client-cert", type=click.Path(path_type=Path), help="For mTLS to the Git server."),
    click.option("--git-client-key", type=click.Path(path_type=Path), help="For mTLS to the Git server."),
    click.option("--git-ssh-key", type=click.Path(path_type=Path), help="The key for SSH."),
    click.option("--git-known-hosts", type=click.Path(path_type=Path), help="Hosts that SSH may speak to."),
    click.option("--git-allow-insecure", is_flag=True, default=None, help="Admit http, git and file URLs."),
    click.option("--verify", type=click.Choice(["head", "tag", "tag-and-head"]), help="What has to be signed."),
    click.option("--verify-ssh-signers", type=click.Path(path_type=Path), help="Allowed signers, as of ssh-keygen."),
    click.option("--verify-gpg-keys", type=click.Path(path_type=Path), multiple=True, help="Exported GPG keys."),
    click.option(
        "--git-write",
        type=click.Choice(["auto", "push", "pull-request", "off"]),
        help="How a rollback or the platform writes: auto pushes to a branch, where nothing has to be signed.",
    ),
    click.option("--git-keep-unpushed", is_flag=True, default=None, help="Keep writes while the remote is away."),
    click.option(
        "--commit-status-token-file",
        type=click.Path(path_type=Path),
        help="A token for the repository's host, which is then told how each commit fares.",
    ),
    click.option("--commit-status-provider", type=click.Choice(["github", "gitlab", "gitea"]), help="Whose API it is."),
    click.option("--commit-status-api", metavar="URL", help="Where that API is, if not in its usual place."),
    click.option("--webhook-secret-file", type=click.Path(path_type=Path), help="What senders of webhooks know."),
)

_USERS: tuple[Callable[[Any], Any], ...] = (
    click.option("--oidc-issuer", metavar="URL", help="Whose tokens are believed; without, loopback only."),
    click.option("--oidc-audience", multiple=True, help="What a token has to be meant for."),
    click.option("--oidc-clients", multiple=True, help="Which clients a token has to be issued to."),
    click.option("--oidc-cacert", type=click.Path(path_type=Path), help="The authorities of the issuer's TLS."),
    click.option("--token-file", type=click.Path(path_type=Path), help="Service tokens: herdsman token create."),
    click.option("--admins", multiple=True, metavar="SUB@ISSUER", help="Administrators of everything."),
)

_NOMAD: tuple[Callable[[Any], Any], ...] = (
    click.option("--nomad", metavar="ADDRESS", help="Address of Nomad (NOMAD_ADDR)."),
    click.option("--nomad-region", help="(NOMAD_REGION)"),
    click.option("--nomad-token-file", type=click.Path(path_type=Path), help="Read again when it changes."),
    click.option("--nomad-cacert", type=click.Path(path_type=Path), help="(NOMAD_CACERT)"),
    click.option("--nomad-capath", type=click.Path(path_type=Path), help="(NOMAD_CAPATH)"),
    click.option("--nomad-client-cert", type=click.Path(path_type=Path), help="(NOMAD_CLIENT_CERT)"),
    click.option("--nomad-client-key", type=click.Path(path_type=Path), help="(NOMAD_CLIENT_KEY)"),
    click.option("--nomad-tls-server-name", help="(NOMAD_TLS_SERVER_NAME)"),
    click.option("--nomad-skip-verify", is_flag=True, default=None, help="(NOMAD_SKIP_VERIFY)"),
    click.option("--nomad-timeout", type=float, help="How long to wait for an answer, in seconds (30)."),
    click.option("--take-over", is_flag=True, default=None, help="Take the fleet's name over from another source."),
)


def _options(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed([o for group in groups for o in group]):
            command = option(command)
        return command

    return decorate


@click.command()
@_options(_COMMON[:1], _GIT, _NOMAD, _USERS, _COMMON[1:])
def run(file: Path | None, **flags: Any) -> int:
    """Keep a Nomad cluster as the specs in a directory or a Git repository declare it.

    Every flag has a variable HERDSMAN_<FLAG> and a place in herdsman.yaml, where `fleets` may name several; Nomad's
    own variables count too. SIGHUP asks the source at once.
    """
    from herdsman import settings

    flags = {name: None if value == () else value for name, value in flags.items()}
    file = file or (Path("herdsman.yaml") if Path("herdsman.yaml").is_file() else None)
    return _operate(settings.load(flags, file=file))


@click.command()
@_options(_COMMON)
@click.option(
    "--nomad",
    default="auto",
    show_default=True,
    metavar="embedded|binary|ADDRESS",
    help="auto takes the nomad on PATH, and the embedded one where there is none.",
)
@click.option("--nomad-port", default=4646, show_default=True, help="The next free one, where it is taken.")
def dev(file: Path | None, nomad: str, nomad_port: int, **flags: Any) -> int:
    """Try it out: the operator with a Nomad of its own, API and dashboard. Ctrl-C ends all of it."""
    from herdsman import settings

    with ExitStack() as stack:
        stop = _stop_on_signals()
        address = nomad if "://" in nomad else stack.enter_context(_own_nomad(nomad, _free_port(nomad_port)))
        if flags["state"] is None:
            flags["state"] = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="herdsman-")))
        listen = flags["listen"] or "127.0.0.1:8080"
        host, _, port = listen.rpartition(":")
        flags["listen"] = f"{host}:{_free_port(int(port))}" if port.isdigit() else listen
        flags["resync"] = flags["resync"] or 30.0
        found = settings.load({**flags, "nomad": address}, file=file, ignore_nomad_env=True)
        return _operate(found, stop=stop)


def _operate(settings: Any, stop: threading.Event | None = None) -> int:
    """Run until a signal asks to stop. Exit code 0: all looks under way ended; 1: some did not within the grace."""
    from herdsman import bootstrap
    from herdsman.adapters import logs

    logs.configure(form=settings.log_format, level=settings.log_level)
    stop = stop or _stop_on_signals()
    process = bootstrap.assemble(settings)
    try:
        with bootstrap.served(process.app, settings.listen) as address:
            greetings = {name: bootstrap.greet(fleet) for name, fleet in process.fleets.items()}
            click.echo(_banner(settings, address, greetings))
            if process.is_open:
                click.echo("  nobody logs in: whoever is on this machine is its administrator (see --oidc-issuer)")
            signal.signal(signal.SIGHUP, lambda _number, _frame: process.news())
            process.start()
            stop.wait()
            click.echo("stopping: looks under way end first", err=True)
            clean = process.stop()
    finally:
        process.close()
    return 0 if clean else 1


def _banner(settings: Any, address: str, nomads: Mapping[str, str]) -> str:
    """Where to look. *nomads* is what each fleet's Nomad said of itself, "" where it does not answer yet."""
    lines = {}
    for own in settings.each():
        of = f"{own.fleet}: " if settings.fleets else ""
        lines[f"{of}specs"] = own.git or str(own.specs)
        lines[f"{of}nomad"] = f"{own.nomad}  {nomads[own.fleet] or '(no answer yet)'}"
    root = f"{address}/fleets/{settings.each()[0].fleet}" if settings.fleets else address
    lines |= {
        "dashboard": f"{address}/",
        "api": f"{root}/v1/specs",
        "metrics": f"{address}/metrics",
        "try": f"herdsman get --server {root}",
    }
    width = max(map(len, lines))
    return "\n".join(["Herdsman runs; Ctrl-C ends it.", *(f"  {k:<{width}}  {v}" for k, v in lines.items())])


def _stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a second SIGINT ends at once."""
    stop = threading.Event()

    def asked(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGINT, asked)
    signal.signal(signal.SIGTERM, asked)
    return stop


def _free_port(wanted: int) -> int:
    """*wanted*, or the next port after it that nobody has."""
    for port in (*range(wanted, min(wanted + 100, 65536)), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SettingsError("no free port was found")


@contextmanager
def _own_nomad(kind: str, port: int) -> Iterator[str]:
    """A Nomad that lives as long as the block: the binary on PATH, or the embedded one."""
    binary = shutil.which("nomad") if kind in ("auto", "binary") else None
    if kind == "binary" and binary is None:
        raise SettingsError("there is no nomad on PATH", hint="leave out --nomad to take the embedded one")
    if kind not in ("auto", "binary", "embedded"):
        raise SettingsError(f"--nomad {kind!r} is neither embedded, binary, auto nor an address like http://HOST:4646")
    with tempfile.TemporaryDirectory(prefix="herdsman-nomad-") as folder:
        command = _binary_command(binary, port, Path(folder)) if binary else _embedded_command(port)
        log = Path(folder) / "nomad.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                _wait_for(child, port, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                _end(child)


def _embedded_command(port: int) -> list[str]:
    return [sys.executable, "-m", "herdsman", "devnomad", "--port", str(port), "--exit-with-parent"]


def _binary_command(binary: str, port: int, folder: Path) -> list[str]:
    config = folder / "dev.hcl"
    config.write_text(
        f"ports {{\n  http = {port}\n  rpc = {_free_port(port + 1)}\n  serf = {_free_port(port + 2)}\n}}\n"
        'plugin "raw_exec" {\n  config {\n    enabled = true\n  }\n}\n'
    )
    return [binary, "agent", "-dev", "-bind", "127.0.0.1", "-config", str(config)]


def _wait_for(child: "subprocess.Popen[bytes]", port: int, log: Path, patience: float = 30.0) -> None:
    import urllib3

    until = time.monotonic() + patience
    with urllib3.PoolManager(retries=False, timeout=1.0) as pool:
        while time.monotonic() < until:
            if child.poll() is not None:
                raise HerdsmanError(f"Nomad ended at once:\n{log.read_text(errors='replace')[-2000:]}")
            try:
                if pool.request("GET", f"http://127.0.0.1:{port}/v1/status/leader").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.05)
    raise HerdsmanError(f"Nomad does not answer on port {port} after {patience:g} s")


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask the child to end, and make it."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
