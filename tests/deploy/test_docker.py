"""The image, as far as it can be judged without building it: what it copies, names, installs, and how it is asked."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import requires
from threading import Thread

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.known import DEPLOY, ROOT, command, variables
from herdsman import settings
from herdsman.api.guards import LOOPBACK
from herdsman.bootstrap import listen_address
from herdsman.version import __version__
from nomads import free_port

FILE = DEPLOY / "docker" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line of a Dockerfile, put together from its parts."""

    word: str
    rest: str


def instructions() -> list[Instruction]:
    """All of them, in order."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def rest_of(word: str) -> list[str]:
    """What stands behind each *word*."""
    return [i.rest for i in instructions() if i.word == word]


def environment() -> dict[str, str]:
    """All of ENV."""
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(rest_of("ENV"))))


def arguments() -> dict[str, str]:
    """All of ARG, with the defaults."""
    return dict(rest.split("=", 1) for rest in rest_of("ARG"))


def copied() -> list[str]:
    """Every source of a COPY from the context."""
    return [source for rest in rest_of("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_is_let_through(source: str) -> None:
    """Each source is in the repository, and not hidden by the ignore file."""
    shown = (FILE.parent / f"{FILE.name}.dockerignore").read_text().splitlines()

    assert (ROOT / source).exists()
    assert f"!{source}" in shown


def test_nothing_else_is_let_through() -> None:
    """The context is what the build copies: no local state, no Git history."""
    lines = (FILE.parent / f"{FILE.name}.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert sorted(line[1:] for line in rules if line.startswith("!")) == sorted(copied())
    assert any(fnmatch("operator/herdsman/__pycache__", rule) for rule in rules)


def test_the_base_is_named_by_an_argument() -> None:
    """One base for both stages, with a version and without a registry's host: a mirror is the builder's choice."""
    base = arguments()["PYTHON"]
    name, _, tag = base.partition(":")

    assert {rest.split()[0] for rest in rest_of("FROM")} == {"${PYTHON}"}
    assert "/" not in name
    assert re.match(r"3\.\d+", tag)
    assert "latest" not in FILE.read_text()


def test_everything_is_installed_by_hash_or_from_here() -> None:
    """No `pip install` takes what was not pinned, and nothing is compiled."""
    installs = [part for rest in rest_of("RUN") for part in rest.split("&&") if "pip install" in part]

    assert len(installs) == 3
    for line in installs:
        assert "--no-index --no-deps" in line or "--no-deps --no-index" in line or "--require-hashes" in line
        assert "--no-index" in line or "--only-binary :all:" in line
    assert "--no-build-isolation" in next(rest for rest in rest_of("RUN") if "pip wheel" in rest)


def test_what_builds_the_wheel_is_pinned_whole() -> None:
    """The lines that the build takes from requirements/dev.txt are the build backend and all that it needs."""
    program = next(found[1] for rest in rest_of("RUN") if (found := re.search(r"awk '([^']+)'", rest)))
    done = subprocess.run(
        ["awk", program, ROOT / "requirements" / "dev.txt"], capture_output=True, text=True, check=True
    )
    pinned = set(re.findall(r"^([a-z0-9-]+)==", done.stdout, re.MULTILINE))

    assert pinned == needed("hatchling")
    assert done.stdout.count("--hash=sha256:") >= len(pinned)


def needed(name: str) -> set[str]:
    """A distribution and all that it requires here."""
    found: set[str] = set()
    todo = [name]
    while todo:
        one = canonicalize_name(todo.pop())
        if one not in found:
            found.add(one)
            parsed = [Requirement(text) for text in requires(one) or []]
            todo += [r.name for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def test_variables_are_those_that_herdsman_reads() -> None:
    """Each HERDSMAN_ variable is a setting, and no secret is baked in."""
    named = {name for name in environment() if name.startswith(("HERDSMAN_", "NOMAD_"))}

    assert named
    assert named <= variables()
    secrets = re.compile("TOKEN|SECRET|PASSWORD|KEY", re.IGNORECASE)
    assert [name for name in (*environment(), *arguments()) if secrets.search(name)] == []


def test_herdsman_starts_with_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the image's environment the settings are valid: loopback, specs and state where there is room."""
    for name, value in environment().items():
        if name.startswith("HERDSMAN_"):
            monkeypatch.setenv(name, value)
    found = settings.load({}, ignore_nomad_env=True)

    assert listen_address(found.listen)[0] in LOOPBACK
    assert [str(found.state)] == json.loads(rest_of("VOLUME")[0])
    made = " ".join(rest_of("RUN"))
    assert re.search(rf"install -d -o 10001 -g 10001 [^&]*{found.state}", made)
    assert re.search(rf"install -d {found.specs}\b", made)
    assert found.log_format == "json"


def test_it_runs_as_nobody_in_particular() -> None:
    """The last word about the user is a number that is not root's, and it is the one that owns the state."""
    assert rest_of("USER") == ["10001:10001"]
    words = [i.word for i in instructions()]
    assert words.index("USER") > max(at for at, word in enumerate(words) if word in {"COPY", "RUN"})


def test_it_is_started_and_stopped_without_a_shell() -> None:
    """The entry point is the console script, in exec form, so that SIGTERM reaches Herdsman itself."""
    program, subcommand = json.loads(rest_of("ENTRYPOINT")[0])

    assert f'{program} = "herdsman.__main__:main"' in (ROOT / "pyproject.toml").read_text()
    command(subcommand)
    assert rest_of("STOPSIGNAL") == ["SIGTERM"]
    assert rest_of("CMD") == []


def test_the_label_is_the_version() -> None:
    """The default of the label is the version of the code."""
    assert arguments()["VERSION"] == __version__
    assert 'org.opencontainers.image.version="${VERSION}"' in rest_of("LABEL")[0]


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Ill(_Health):
    status = 503


@pytest.mark.parametrize(("handler", "healthy"), [(_Health, True), (_Ill, False), (None, False)])
def test_the_health_check_asks_healthz(
    handler: type[_Health] | None, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is 0 where /healthz answers 200, whatever proxy the environment names, and 1 else."""
    options, found = rest_of("HEALTHCHECK")[0].split(" CMD ")
    python, flag, code = json.loads(found)
    assert (python, flag) == ("python", "-c")
    assert "--start-period" in options
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = HTTPServer(("127.0.0.1", 0), handler) if handler else None
    port = server.server_port if server else free_port()
    monkeypatch.setenv("HERDSMAN_LISTEN", f"127.0.0.1:{port}")
    thread = Thread(target=server.handle_request, daemon=True) if server else None
    if thread:
        thread.start()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=30)
    if server and thread:
        thread.join(10)
        server.server_close()

    assert (done.returncode == 0) is healthy
