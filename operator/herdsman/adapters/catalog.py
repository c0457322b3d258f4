"""Where catalogs come from: the package, a folder, the files of a source; and how long what was read is good for.

Whatever the origin, it delivers the files of a catalog by their path below it, `modules/hello-web/user.yaml`;
`read_catalog` makes entries of them, `check_folder` looks for all that is wrong with them. A Git URL is an origin like
any: what has a snapshot is one (`FromSource`).
"""

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from importlib.resources import files as package
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, Protocol

from herdsman import jobspec
from herdsman.core.catalog import Lint, lint, parse_entry
from herdsman.core.spelling import one_of
from herdsman.errors import HerdsmanError, Refused, SourceError
from herdsman.jobspec.parser import parse_source
from herdsman.jobspec.syntax import AttributeStep, Reference
from herdsman.model.catalog import (
    FILES,
    JOBSPEC,
    PARAMETERS,
    SECTIONS,
    Catalog,
    Entry,
    Mistake,
    Outline,
    Use,
    Variable,
)
from herdsman.model.desired import Rejection
from herdsman.model.observed import Body
from herdsman.model.sources import Snapshot
from herdsman.ports import Clock

FRESH: Final = 6 * 60 * 60.0
"""Seconds after which a catalog is read again."""

RETRY: Final = 60.0
"""Seconds after which it is tried again where it could not be read."""

_LARGEST: Final = 256 * 1024

Files = Mapping[str, bytes]
"""The files of a catalog, by their path below it."""


# -- entries -----------------------------------------------------------------------------------------------------------


def read_catalog(files: Files, *, folder: str) -> Catalog:
    """All entries among *files*, and what is wrong with the others. *folder* is where the catalog stands."""
    entries: dict[str, Entry] = {}
    broken: dict[str, tuple[Rejection, ...]] = {}
    for (section, name), own in _by_entry(files).items():
        read = read_entry(section, name, own, folder="/".join(part for part in (folder, section, name) if part))
        if isinstance(read, Entry):
            entries[read.id] = read
        else:
            broken[f"{section}/{name}"] = read
    return Catalog(entries, broken)


def _by_entry(files: Files) -> Mapping[tuple[str, str], Files]:
    """The files of each entry, by section and name."""
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    for path, data in sorted(files.items()):
        parts = path.split("/")
        if len(parts) == 3 and parts[0] in SECTIONS and parts[2] in FILES:
            found.setdefault((parts[0], parts[1]), {})[parts[2]] = data
    return found


def read_entry(section: str, name: str, files: Files, *, folder: str) -> Entry | tuple[Rejection, ...]:
    """One entry of its three files, by their names."""
    return parse_entry(section, name, files, folder=folder, outline=outline(files.get(JOBSPEC, b"")))


def outline(data: bytes) -> Outline | Mistake:
    """What a jobspec declares and uses, without running it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Mistake("not UTF-8 text", hint="save the file as UTF-8")
    try:
        declared = jobspec.declared_variables(text)
        return Outline(
            tuple(Variable(v.name, v.type, v.required, v.line) for v in declared),
            tuple(_references(text)),
            tuple(Use(f.name, f.line, f.column, f.volatile) for f in jobspec.functions_used(text)),
        )
    except jobspec.JobspecError as error:
        first = next(iter(error.diagnostics), None)
        if first is None:
            return Mistake(str(error))
        return Mistake(f"{first.summary}: {first.detail}", first.line, first.column, first.hint)


def _references(text: str) -> Iterator[Use]:
    """Every `var.name`, in the order of the text."""
    tree = parse_source(jobspec.errors.Source(JOBSPEC, text))
    found = [e for e in tree.expressions() if isinstance(e, Reference) and e.name == "var" and e.steps]
    for reference in sorted(found, key=lambda e: e.span.start):
        step = reference.steps[0]
        name = step.name if isinstance(step, AttributeStep) else str(step.key)
        yield Use(name, *reference.span.source.position(reference.span.start))


# -- origins -----------------------------------------------------------------------------------------------------------


class Origin(Protocol):
    """Where the files of a catalog come from."""

    @property
    def folder(self) -> str:
        """What the paths of rejections begin with."""
        ...

    def files(self) -> Files:
        """All files, by their path below the catalog. Raises `SourceError` where there is no catalog to be read."""
        ...


class FromPackage:
    """The entries that Herdsman brings along."""

    folder = "catalog"

    def files(self) -> Files:
        """All files."""
        return dict(_walk(package("herdsman") / "catalog"))


class FromFolder:
    """A folder with `modules/` and `tools/` in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = str(root)

    def files(self) -> Files:
        """All files. Raises `SourceError` where the folder cannot be read."""
        try:
            if not self._root.is_dir():
                raise SourceError(
                    f"there is no folder {self._root}", hint="a catalog has the folders modules and tools"
                )
            return dict(_walk(self._root))
        except OSError as error:
            raise SourceError(f"the catalog {self._root} cannot be read: {error.strerror}") from error


class Remote(Protocol):
    """What is needed of a source of specs."""

    def poke(self) -> None:
        """The next snapshot shall be the newest."""
        ...

    def snapshot(self) -> Snapshot:
        """All files."""
        ...

    def describe(self) -> str:
        """What a reader knows it by."""
        ...


class FromSource:
    """A catalog in a repository of its own, or in whatever else has a snapshot. *below* is its folder there."""

    def __init__(self, source: Remote, *, below: str = "catalog") -> None:
        self._source = source
        self._below = below
        self.folder = f"{source.describe()}/{below}" if below else source.describe()

    def files(self) -> Files:
        """All files at the source's newest revision."""
        self._source.poke()
        return snapshot_files(self._source.snapshot(), below=self._below)


def snapshot_files(snapshot: Snapshot, *, below: str = "catalog") -> Files:
    """The files of the catalog in a snapshot; those that could not be read are not there."""
    start = f"{below}/" if below else ""
    found = snapshot.files.items()
    return {path[len(start) :]: f.data for path, f in found if path.startswith(start) and f.data is not None}


def _walk(root: Traversable) -> Iterator[tuple[str, bytes]]:
    """The files of all entries below *root*."""
    for section in SECTIONS:
        folder = root / section
        for entry in folder.iterdir() if folder.is_dir() else ():
            for name, data in _own(entry) if entry.is_dir() else ():
                yield f"{section}/{entry.name}/{name}", data


def _own(entry: Traversable) -> Iterator[tuple[str, bytes]]:
    """The files of one entry. A file too large to be one of its own is cut, and so refused."""
    for name in FILES:
        file = entry / name
        if file.is_file():
            with file.open("rb") as stream:
                yield name, stream.read(_LARGEST + 1)


# -- checking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """The IDs of the entries that there are, and all that was found wrong with them."""

    entries: tuple[str, ...]
    lint: Lint


def check_folder(root: Path) -> Checked:
    """Look for everything that is wrong in a folder: a catalog's, or one entry's. Raises `SourceError` for another."""
    if any((root / section).is_dir() for section in SECTIONS):
        origin = FromFolder(root)
        found = _by_entry(origin.files())
        folders = {entry: f"{origin.folder}/{'/'.join(entry)}" for entry in found}
    else:
        place = root.absolute()
        entry = (place.parent.name if place.parent.name in SECTIONS else SECTIONS[0], place.name)
        found, folders = {entry: dict(_own(root))}, {entry: str(root)}
        if not found[entry]:
            hint = f"a catalog has the folders {one_of(SECTIONS)}, an entry the files {', '.join(FILES)}"
            raise SourceError(f"{root} is neither a catalog nor an entry of one", hint=hint)
    each = [check(section, name, own, folder=folders[section, name]) for (section, name), own in found.items()]
    errors = tuple(error for one in each for error in one.errors)
    warnings = tuple(warning for one in each for warning in one.warnings)
    return Checked(tuple("/".join(entry) for entry in found), Lint(errors, warnings))


def check(section: str, name: str, files: Files, *, folder: str) -> Lint:
    """All that is wrong with one entry, of its files by their names."""
    read = read_entry(section, name, files, folder=folder)
    return lint(read, files[PARAMETERS], _parse) if isinstance(read, Entry) else Lint(read)


def _parse(hcl: str, variables: Mapping[str, Any]) -> Body:
    try:
        return jobspec.parse(hcl, variables=variables)
    except jobspec.JobspecError as error:
        raise Refused(str(error), hint=next((d.hint for d in error.diagnostics if d.hint), "")) from None


# -- caching -----------------------------------------------------------------------------------------------------------


class CachedCatalog:
    """An origin's catalog, read again when it is older than *fresh* seconds. Safe from any thread.

    Where the origin fails, what was read last is served, with the reason; where one entry is broken, its last good
    version is. One thread reads, the others are served what there is meanwhile.
    """

    def __init__(self, origin: Origin, *, clock: Clock, fresh: float = FRESH, retry: float = RETRY) -> None:
        self._origin = origin
        self._clock = clock
        self._fresh, self._retry = fresh, min(retry, fresh)
        self._reading = threading.Lock()
        self._catalog = _UNREAD
        self._due = -math.inf

    def catalog(self) -> Catalog:
        """What the origin holds, at most so old; nothing but a problem where it could never be read."""
        known = self._catalog
        if known is not _UNREAD and self._clock.monotonic() < self._due:
            return known
        if not self._reading.acquire(blocking=known is _UNREAD):
            return known
        try:
            if self._clock.monotonic() >= self._due:
                self._read()
            return self._catalog
        finally:
            self._reading.release()

    def refresh(self) -> Catalog:
        """The same, read anew."""
        with self._reading:
            self._read()
            return self._catalog

    def _read(self) -> None:
        last = self._catalog
        try:
            read = read_catalog(self._origin.files(), folder=self._origin.folder)
        except HerdsmanError as error:
            self._catalog = replace(last, problem=str(error))
            self._due = self._clock.monotonic() + self._retry
            return
        kept = {id_: last.entries[id_] for id_ in read.broken if id_ in last.entries}
        self._catalog = replace(read, entries={**kept, **read.entries})
        self._due = self._clock.monotonic() + self._fresh


_UNREAD: Final = Catalog(problem="it was not read yet")


class Catalogs:
    """Several catalogs as one: of two entries with one ID that of the catalog which is named first."""

    def __init__(self, *catalogs: CachedCatalog) -> None:
        self._catalogs = catalogs

    def catalog(self) -> Catalog:
        """All of them."""
        return reduce(Catalog.over, [catalog.catalog() for catalog in self._catalogs], Catalog())

    def refresh(self) -> Catalog:
        """All of them, read anew."""
        return reduce(Catalog.over, [catalog.refresh() for catalog in self._catalogs], Catalog())


# -- the fleet's own ---------------------------------------------------------------------------------------------------


class FleetCatalog:
    """The entries in a fleet's own files, as they are in each snapshot, over those from elsewhere.

    So a change of the fleet's own counts with its commit, and not hours later. Safe from any thread.
    """

    def __init__(self, others: CachedCatalog | Catalogs, *, below: str = "catalog") -> None:
        self._others = others
        self._below = below
        self._last: tuple[Files, Catalog] = ({}, Catalog())

    def catalog(self, snapshot: Snapshot) -> Catalog:
        """Everything that specs of this snapshot may name."""
        files = snapshot_files(snapshot, below=self._below)
        known, own = self._last
        if files != known:
            own = read_catalog(files, folder=self._below)
            self._last = files, own
        return own.over(self._others.catalog())
