"""The Git source against bare git: `python tests/bench/git_source.py [FILES]`.

    poll      a look at the remote that brings no news, against `git ls-remote`
    change    one changed file, from the poke to the snapshot, against `git fetch` and one `git cat-file`
    start     the first clone and the reading of everything, against `git init`, `git fetch`, `git ls-tree` and one
              `git cat-file --batch` of every blob

Both sides speak to the same server in the same run, turn by turn; the value is the median.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [path for path in (str(ROOT / "tests"), str(ROOT / "operator")) if path not in sys.path]

from gitservers import NEUTRAL, SSHD, GitDaemon, HttpServer, Repository, SshServer  # noqa: E402
from herdsman.adapters.clock import SystemClock  # noqa: E402
from herdsman.adapters.git import Credentials, GitConfig, GitSource, reference  # noqa: E402

ROUNDS = 9
HEAD = "refs/herdsman/head"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a repository."""

    name: str
    url: str
    credentials: Credentials
    env: dict[str, str]


class Bare:
    """The same by hand: nothing but git."""

    def __init__(self, way: Way, folder: Path) -> None:
        self._way, self._folder = way, folder
        self._env = {**NEUTRAL, "HOME": str(folder), "GIT_DIR": str(folder / "repo.git"), **way.env}

    def run(self, *args: str, stdin: bytes = b"") -> bytes:
        """One command."""
        done = subprocess.run(["git", *args], input=stdin, capture_output=True, check=True, env=self._env)
        return done.stdout

    def start(self) -> int:
        """Clone, list, and read every blob; the value is how many."""
        self.run("init", "-q", "--bare", "--template=", str(self._folder / "repo.git"))
        self.fetch()
        entries = self.run("ls-tree", "-r", "-z", HEAD).split(b"\0")
        oids = [entry.split(b"\t")[0].split()[2] for entry in entries if entry]
        self.run("cat-file", "--batch", stdin=b"\n".join(oids) + b"\n")
        return len(oids)

    def poll(self) -> None:
        """A look."""
        self.run("ls-remote", "--heads", self._way.url, "refs/heads/main")

    def fetch(self) -> None:
        """What is new."""
        quiet = ("-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        self.run("fetch", "--depth=1", *quiet, self._way.url, f"+refs/heads/main:{HEAD}")

    def change(self, path: str) -> None:
        """What is new, and one file of it."""
        self.fetch()
        self.run("cat-file", "blob", f"{HEAD}:{path}")


def took(act: Callable[[], object]) -> float:
    """In ms."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def tell(name: str, ours: list[float], floor: list[float]) -> None:
    """One line."""
    one, other = statistics.median(ours), statistics.median(floor)
    print(f"git {name:<22} {one:7.1f} ms, bare git {other:7.1f} ms ({one / other:.2f}x)", flush=True)


def ways(folder: Path, repository: Repository, stack: ExitStack) -> Iterator[Way]:
    """Every server there is."""
    http = stack.enter_context(HttpServer(repository.path.parent))
    yield Way("http", http.url(repository.path.name), Credentials(), {})
    daemon = stack.enter_context(GitDaemon(repository.path.parent))
    yield Way("git", daemon.url(repository.path.name), Credentials(), {})
    if SSHD:
        ssh = stack.enter_context(SshServer(folder / "ssh"))
        files = ssh.files
        command = f"ssh -F /dev/null -i {files.key} -oIdentitiesOnly=yes -oUserKnownHostsFile={files.known_hosts}"
        given = Credentials(ssh_key=files.key, known_hosts=files.known_hosts)
        yield Way("ssh", ssh.url(repository.path), given, {"GIT_SSH_COMMAND": command})


def measure(way: Way, repository: Repository, folder: Path) -> None:
    """All three, over one way."""
    config = GitConfig(way.url, reference(branch="main"), credentials=way.credentials, allow_insecure=True)
    ours: list[float] = []
    floor: list[float] = []
    for n in range(3):
        source = GitSource(config, clock=SystemClock(), cache=folder / f"cache-{n}")
        bare = Bare(way, folder / f"bare-{n}")
        (folder / f"bare-{n}").mkdir(parents=True)
        floor.append(took(bare.start))
        ours.append(took(source.snapshot))
        if n < 2:
            source.close()
    tell(f"{way.name} start", ours, floor)
    ours, floor = [], []
    for _ in range(ROUNDS):
        floor.append(took(bare.poll))
        source._due = 0.0
        ours.append(took(source.snapshot))
    tell(f"{way.name} poll", ours, floor)
    ours, floor = [], []
    for n in range(ROUNDS):
        commit = repository.commit({"jobs/000/00000.yaml": f"{way.name} {n}"})
        floor.append(took(lambda: bare.change("jobs/000/00000.yaml")))
        source.poke()
        ours.append(took(source.snapshot))
        assert source.snapshot().revision == commit
    tell(f"{way.name} change", ours, floor)
    source.close()


def run(sizes: list[int]) -> None:
    """See the module's story; of *sizes*, the largest is the number of files."""
    count = max(sizes, default=10_000)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        repository = Repository(folder / "repos" / "fleet.git")
        text = "\n".join(f"line {n}" for n in range(30))
        repository.commit({f"jobs/{n // 100:03}/{n:05}.yaml": f"# {n}\n{text}\n" for n in range(count)})
        print(f"git: {count} files in {(count + 99) // 100} directories", flush=True)
        for way in ways(folder, repository, stack):
            measure(way, repository, folder / way.name)


if __name__ == "__main__":
    run([int(size) for size in sys.argv[1:]])
