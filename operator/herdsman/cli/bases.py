"""`--base REF`: the specs as they were where a branch began, out of the object store of the Git work tree around them.

Nothing is checked out and nothing of the work tree is run. Where the clone is too shallow to know where the branch
began, the tip of REF is taken, and said so: on a merge commit, as pipelines for pull requests check out, it is the
same thing.
"""

import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from herdsman.adapters.git.command import Git
from herdsman.adapters.git.commits import parse_commit
from herdsman.adapters.git.objects import Damaged, Objects
from herdsman.adapters.git.reading import Reader
from herdsman.cli.snapshots import Judged, stored
from herdsman.core import normalize
from herdsman.errors import NomadError, SourceError, UsageError
from herdsman.model.desired import Desired, DesiredJob, DesiredNamespace, DesiredVariable, Wanted
from herdsman.model.exports import Export, ExportedJob, ExportedNamespace, ExportedVariable, Header
from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import STAMP, JobStub, Provenance
from herdsman.model.sources import Snapshot
from herdsman.observe import lens, seal
from herdsman.variables import stamp

TIMEOUT: Final = 60.0

_REF = re.compile(r"(?!-)[^\x00-\x20\x7f]{1,250}")


@dataclass(frozen=True, slots=True)
class Base:
    """Where a branch began. *note* is empty, or says what it was taken for instead."""

    ref: str
    commit: str
    snapshot: Snapshot
    note: str = ""


def base_of(directory: Path, ref: str) -> Base:
    """The files of *directory* where the branch that is checked out left *ref*. Raises `UsageError`, `SourceError`."""
    if not _REF.fullmatch(ref):
        raise UsageError(f"{ref!r} is no revision", hint="name a branch, a tag or a commit, like origin/main")
    git = Git(directory)
    prefix, repo = _place(git, directory)
    tip = _resolve(git, ref)
    oid, note = _fork(git, ref, tip)
    snapshot = _read(git, repo, oid, prefix)
    return Base(ref, oid, snapshot, note)


def _place(git: Git, directory: Path) -> tuple[str, Path]:
    """Where in its repository *directory* is, and where that repository is kept."""
    found = _lines(git, "rev-parse", "--show-prefix", "--absolute-git-dir")
    if found is None or len(found) != 2:
        raise UsageError(
            f"{directory} is not inside a Git work tree",
            hint="--base compares with a revision of the repository that the directory is part of",
        )
    return found[0], Path(found[1])


def _resolve(git: Git, ref: str) -> str:
    found = _lines(git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if not found:
        raise UsageError(f"the repository has no revision {ref}", hint=_how_to_get(git, ref))
    return found[0]


def _how_to_get(git: Git, ref: str) -> str:
    """What to do about a revision that is not there: it was not fetched, more often than not."""
    remotes = _lines(git, "remote") or []
    remote, _, branch = ref.partition("/")
    if remote in remotes and branch:
        return f"fetch it first: git fetch {remote} {branch}:refs/remotes/{ref}"
    if _lines(git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"origin/{ref}^{{commit}}"):
        return f"did you mean origin/{ref}?"
    return f"fetch it first: git fetch origin {ref}" if remotes else "git branch -a lists what there is"


def _fork(git: Git, ref: str, tip: str) -> tuple[str, str]:
    """The newest commit that both sides have."""
    found = _lines(git, "merge-base", "HEAD", tip)
    if found:
        return found[0], ""
    if _lines(git, "rev-parse", "--is-shallow-repository") == ["true"]:
        why = f"the clone is too shallow to know where the branch left {ref}"
        return tip, f"{why}: compared with the tip of {ref}; fetch with more depth to compare with where it began"
    return tip, f"the branch and {ref} have no commit in common: compared with the tip of {ref}"


def _read(git: Git, repo: Path, oid: str, prefix: str) -> Snapshot:
    """The files below *prefix* at the commit; a directory that was not there yet held nothing."""
    path = prefix.rstrip("/")
    if path and _lines(git, "cat-file", "-t", f"{oid}:{path}") != ["tree"]:
        return Snapshot(oid, {}, commit=oid)
    reader = Reader(path, lambda _: True)
    with closing(Objects(git, repo, timeout=TIMEOUT)) as objects:
        try:
            commit = parse_commit(oid, next(objects.read([oid])).data)
            reader.read(objects, commit)
        except Damaged:
            raise SourceError(
                f"the repository does not hold all of commit {oid[:12]}",
                hint="is it a partial clone? fetch it without --filter",
            ) from None
    return Snapshot(oid, reader.files, commit=oid, author=commit.author, warnings=reader.warnings)


def _lines(git: Git, *args: str) -> list[str] | None:
    """What git answers, None where it refuses."""
    try:
        done = git.run(*args, timeout=TIMEOUT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"the directory cannot be read: {error.strerror}") from None
    return os.fsdecode(done.out).splitlines() if done.ok else None


# -- the base as what is live ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rest:
    """A fleet that is at rest with what some specs ask for. *unknown* are those of which nobody knows what runs."""

    export: Export
    unknown: Mapping[Key, str]


def at_rest(desired: Desired, judged: Judged) -> Rest:
    """The live side as it is when all of *desired* has been carried out."""
    jobs: dict[Key, ExportedJob] = {}
    spaces: dict[Key, ExportedNamespace] = {}
    variables: dict[Key, ExportedVariable] = {}
    unknown = {key: str(rejection) for key, rejection in desired.frozen.items()}
    for key, wanted in desired.wanted.items():
        if isinstance(wanted, DesiredNamespace):
            spaces[key] = _namespace(wanted, desired.fleet.name)
        elif isinstance(wanted, DesiredVariable):
            variables[key] = _variable(wanted, desired.fleet.name)
        else:
            try:
                jobs[key] = _job(wanted, desired.fleet.name, judged)
            except NomadError as error:
                unknown[key] = str(error)
    header = Header(desired.fleet.name, taken="", salt="", revision=desired.revision)
    return Rest(Export(header, jobs, spaces, variables, closed=False), unknown)


def _job(wanted: DesiredJob, fleet: str, judged: Judged) -> ExportedJob:
    body = stored(normalize.stamped(judged(wanted), fleet))
    body |= {
        "Stop": body["Stop"] or wanted.stopped,
        "Version": 0,
        "JobModifyIndex": 1,
        "ModifyIndex": 1,
        "CreateIndex": 1,
        "Status": "running",
    }
    stub = JobStub(
        key=wanted.key,
        index=1,
        create_index=1,
        type=body["Type"],
        status="running",
        stop=bool(body["Stop"]),
        stamp=fleet,
        periodic=bool(body["Periodic"]),
        parameterized=bool(body["ParameterizedJob"]),
    )
    memory = replace(_memory(wanted), lens=lens(wanted.policy), index=1, create_index=1)
    provenance = Provenance(fleet, seal(wanted), 0, wanted.origin.position.path, prune=wanted.policy.prune.value)
    return ExportedJob(wanted.key, stub, body, provenance, memory)


def _namespace(wanted: DesiredNamespace, fleet: str) -> ExportedNamespace:
    meta = {**wanted.meta, STAMP: fleet}
    body = {"Name": wanted.key.name, "Description": wanted.description, "Meta": meta}
    return ExportedNamespace(wanted.key, body, memory=_memory(wanted))


def _variable(wanted: DesiredVariable, fleet: str) -> ExportedVariable:
    ours = {**wanted.items, **dict.fromkeys(wanted.generate, "(generated)")}
    keys = tuple(sorted(ours))
    memory = replace(_memory(wanted), index=1, create_index=1, keys=keys, attached=wanted.attached)
    return ExportedVariable(wanted.key, 1, 1, {**ours, STAMP: stamp(fleet, ours)}, memory)


def _memory(wanted: Wanted) -> Memory:
    policy = wanted.policy
    return Memory(
        digest=wanted.digest,
        owned=True,
        path=wanted.origin.position.path,
        prune=policy.prune,
        suspend=policy.suspend,
        needs=wanted.depends_on,
    )
