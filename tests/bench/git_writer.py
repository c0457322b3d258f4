"""Writes to Git against git by hand: `python tests/bench/git_writer.py [FILES]`.

    one     a write of one file, from the call to the answer, against `git add`, `git commit` and `git push`
    many    fifty writes by fifty callers at once, against fifty times the same by hand, one after the other, and
            against fifty commits by hand with a single push

Both sides write to the same repository, as a file, in the same run, turn by turn. By hand a checkout is there already,
and nobody else writes; the value is the median.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [path for path in (str(ROOT / "tests"), str(ROOT / "operator")) if path not in sys.path]

from gitservers import NEUTRAL, Repository  # noqa: E402
from herdsman.adapters.clock import SystemClock  # noqa: E402
from herdsman.adapters.git import GitConfig, reference  # noqa: E402
from herdsman.adapters.git.writer import GitWriter  # noqa: E402
from herdsman.model.writes import Author, FileEdit, WriteRequest  # noqa: E402

ROUNDS = 15
MANY = 50


@dataclass(frozen=True, slots=True)
class ByHand:
    """A checkout, and git."""

    folder: Path

    def run(self, *args: str) -> None:
        """One command."""
        who = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        env = {**NEUTRAL, "HOME": str(self.folder), **who}
        subprocess.run(["git", *args], cwd=self.folder, env=env, check=True, capture_output=True)

    def commit(self, path: str, text: str) -> None:
        """One file."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        self.run("add", path)
        self.run("commit", "-q", "-m", "a change", "--no-gpg-sign")

    def push(self) -> None:
        """What there is."""
        self.run("push", "-q", "origin", "HEAD:main")

    def catch_up(self) -> None:
        """Not measured."""
        self.run("fetch", "-q", "origin")
        self.run("reset", "-q", "--hard", "origin/main")


def took(act: Callable[[], object]) -> float:
    """In ms."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def tell(name: str, ours: list[float], floor: list[float], *, by_hand: str) -> None:
    """One line."""
    one, other = statistics.median(ours), statistics.median(floor)
    print(f"git write {name:<6} {one:8.1f} ms, {by_hand} {other:8.1f} ms ({one / other:.2f}x)", flush=True)


def ask(name: str) -> WriteRequest:
    """To write one file."""
    return WriteRequest((FileEdit(f"jobs/new/{name}.yaml", name.encode()),), Author("Ada", "a@b"), "a change", name)


def bench_one(writer: GitWriter, hand: ByHand) -> None:
    """See the module's story. *raced*: somebody else has pushed since our last write, so ours is done twice."""
    raced: list[float] = []
    alone: list[float] = []
    floor: list[float] = []
    for n in range(ROUNDS):
        raced.append(took(partial(writer.write, ask(f"raced-{n}"))))
        alone.append(took(partial(writer.write, ask(f"alone-{n}"))))
        hand.catch_up()
        floor.append(took(partial(hand.commit, f"jobs/hand/{n}.yaml", f"{n}")) + took(hand.push))
    tell("one", alone, floor, by_hand="add, commit, push")
    tell("raced", raced, floor, by_hand="add, commit, push")


def bench_many(writer: GitWriter, hand: ByHand, repository: Repository) -> None:
    """See the module's story."""
    ours: list[float] = []
    singly: list[float] = []
    together: list[float] = []
    for n in range(3):
        before = int(repository.git("rev-list", "--count", "main"))
        ours.append(took(partial(at_once, writer, [ask(f"many-{n}-{k}") for k in range(MANY)])))
        assert int(repository.git("rev-list", "--count", "main")) == before + MANY
        hand.catch_up()
        commits = [took(partial(hand.commit, f"jobs/hand/t{n}-{k}.yaml", f"{k}")) for k in range(MANY)]
        together.append(sum(commits) + took(hand.push))
        singly.append(
            sum(took(partial(hand.commit, f"jobs/hand/{n}-{k}.yaml", f"{k}")) + took(hand.push) for k in range(MANY))
        )
    tell("many", ours, singly, by_hand=f"{MANY} commits and pushes")
    tell("many", ours, together, by_hand=f"{MANY} commits, one push")


def at_once(writer: GitWriter, requests: list[WriteRequest]) -> None:
    """Each by a caller of its own."""
    with ThreadPoolExecutor(len(requests)) as pool:
        list(pool.map(writer.write, requests))


def run(sizes: list[int]) -> None:
    """See the module's story; of *sizes*, the largest is the number of files."""
    count = max(sizes, default=10_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = Repository(folder / "repos" / "fleet.git")
        text = "\n".join(f"line {n}" for n in range(30))
        repository.commit({f"jobs/{n // 100:03}/{n:05}.yaml": f"# {n}\n{text}\n" for n in range(count)})
        hand = ByHand(folder / "hand")
        hand.folder.mkdir()
        hand.run("clone", "-q", str(repository.path), ".")
        config = GitConfig(str(repository.path), reference(branch="main"), allow_insecure=True)
        writer = GitWriter(config, clock=SystemClock(), cache=folder / "cache", state=folder / "state")
        print(f"git write: {count} files in {(count + 99) // 100} directories", flush=True)
        print(f"git write first  {took(partial(writer.write, ask('first'))):8.1f} ms, with the clone", flush=True)
        bench_one(writer, hand)
        bench_many(writer, hand, repository)
        writer.close()


if __name__ == "__main__":
    run([int(size) for size in sys.argv[1:]])
