"""Writers for tests, and requests for them."""

from pathlib import Path
from typing import Any

from adapters.git.worlds import MAIN, World
from gitservers import Repository
from herdsman.adapters.git import GitConfig
from herdsman.adapters.git.writer import GitWriter
from herdsman.model.writes import Author, FileEdit, WriteRequest

ADA = Author("Ada", "ada@example.org")

OPTIONS = ("keep_unpushed", "pull_requests", "committer", "git", "pause")


def writer(world: World, url: str = "", *, at: str = "", **options: Any) -> GitWriter:
    """A writer, by default to `fleet.git` as a file, closed with the world; *at* tells whose cache and state it has."""
    own = {name: options.pop(name) for name in OPTIONS if name in options}
    given = {"ref": MAIN, "allow_insecure": True, **options}
    config = GitConfig(url or str(world.repos / "fleet.git"), **given)
    cache, state = world.cache / f"w{at}", world.folder / f"state{at}"
    opened = GitWriter(config, clock=world.clock, cache=cache, state=state, warn=world.warnings.append, **own)
    world.stack.callback(opened.close)
    return opened


def request(
    request_id: str, files: dict[str, str | None] | None = None, *, message: str = "a change", **expected: str | None
) -> WriteRequest:
    """A request of Ada's to write *files*, or one that is named for the request; *expected* goes by the file's stem."""
    wanted = {f"{request_id}.yaml": request_id} if files is None else files
    edits = tuple(
        FileEdit(path, None if text is None else text.encode(), expected.get(Path(path).stem))
        for path, text in wanted.items()
    )
    return WriteRequest(edits, ADA, message, request_id)


def show(repository: Repository, path: str, *, branch: str = "main") -> str:
    """What a file holds on a branch."""
    return repository.git("cat-file", "blob", f"{branch}:{path}")


def files(repository: Repository, *, branch: str = "main") -> list[str]:
    """All paths on a branch."""
    return repository.git("ls-tree", "-r", "--name-only", branch).splitlines()


def history(repository: Repository, *, branch: str = "main") -> list[str]:
    """Subjects, oldest first."""
    return repository.git("log", "--reverse", "--format=%s", branch).splitlines()


def requests_of(repository: Repository, *, branch: str = "main") -> list[str]:
    """The request IDs in trailers as git itself reads them, oldest first."""
    form = "--format=%(trailers:key=Herdsman-Request-Id,valueonly,separator=%x2C)"
    return [line for line in repository.git("log", "--reverse", form, branch).splitlines() if line]


def hook(repository: Repository, name: str, script: str) -> None:
    """Let the server run *script*."""
    path = repository.path / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
