"""Where catalogs come from, and how long what was read is good for."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.making import METADATA, job_text, shipped_ids
from clocks import FakeClock
from gitservers import Repository
from herdsman.adapters.catalog import (
    FRESH,
    RETRY,
    CachedCatalog,
    Catalogs,
    Files,
    FleetCatalog,
    FromFolder,
    FromPackage,
    FromSource,
    read_catalog,
)
from herdsman.adapters.git import GitConfig, GitSource
from herdsman.errors import HerdsmanError, SourceError, Unavailable
from herdsman.model.catalog import Catalog
from herdsman.model.sources import Snapshot, SourceFile

USER = b'g:\n  p: {name: P, value: ""}\n'
OWN = {"metadata.yaml": METADATA.encode(), "user.yaml": USER, "nomad.hcl": job_text("p").encode()}


def files_of(*entry_ids: str, below: str = "") -> dict[str, bytes]:
    """The files of a catalog with those entries."""
    return {f"{below}{entry_id}/{name}": data for entry_id in entry_ids for name, data in OWN.items()}


class Shelf:
    """An origin whose files a test changes, and that fails when told to."""

    folder = "shelf"

    def __init__(self, *entry_ids: str) -> None:
        self.held = files_of(*entry_ids)
        self.failure: HerdsmanError | None = None
        self.reads = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def files(self) -> Files:
        """All files."""
        self.reads += 1
        self.meanwhile()
        if self.failure is not None:
            raise self.failure
        return dict(self.held)


class Fixed:
    """A source with one snapshot."""

    def __init__(self, files: dict[str, bytes | None]) -> None:
        self._snapshot = Snapshot("r1", {path: SourceFile(path, data) for path, data in files.items()})

    def snapshot(self) -> Snapshot:
        """The same each time."""
        return self._snapshot

    def poke(self) -> None:
        """Nothing is ever new."""

    def describe(self) -> str:
        """Its name."""
        return "fleet"


# -- origins -----------------------------------------------------------------------------------------------------------


def test_the_package_brings_its_own() -> None:
    """The entries of the package are there wherever it is installed."""
    assert sorted(read_catalog(FromPackage().files(), folder="catalog").entries) == shipped_ids()


def test_a_folder_is_a_catalog(tmp_path: Path) -> None:
    """Entries are folders below modules and tools; whatever else lies about is not looked at."""
    for path, data in files_of("modules/a", "tools/b").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "modules" / "a" / "notes.txt").write_text("mine")
    (tmp_path / "modules" / "README.md").write_text("mine")
    (tmp_path / "models").mkdir()
    origin = FromFolder(tmp_path)

    assert dict(origin.files()) == files_of("modules/a", "tools/b")
    assert sorted(read_catalog(origin.files(), folder=origin.folder).entries) == ["modules/a", "tools/b"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A missing folder is an error and not an empty catalog."""
    with pytest.raises(SourceError, match="there is no folder"):
        FromFolder(tmp_path / "nowhere").files()


def test_a_huge_file_is_no_entry(tmp_path: Path) -> None:
    """Of a file that is too large only so much is read as shows that it is."""
    (tmp_path / "modules" / "a").mkdir(parents=True)
    (tmp_path / "modules" / "a" / "nomad.hcl").write_bytes(b"#" * 1_000_000)

    assert len(FromFolder(tmp_path).files()["modules/a/nomad.hcl"]) == 256 * 1024 + 1


@pytest.mark.parametrize("below", ["catalog", "deep/down", ""])
def test_a_source_of_specs_may_hold_a_catalog(below: str) -> None:
    """A snapshot's files below a folder are a catalog; one that could not be read is missing, and said to be."""
    start = f"{below}/" if below else ""
    held: dict[str, bytes | None] = {**files_of("modules/a", "tools/b", below=start), "web.yaml": b"kind: Job"}
    held[f"{start}tools/b/user.yaml"] = None
    origin = FromSource(Fixed(held), below=below)
    found = read_catalog(origin.files(), folder=origin.folder)

    assert sorted(found.entries) == ["modules/a"]
    assert [str(rejection) for rejection in found.rejections] == [
        f"fleet/{start}tools/b/user.yaml: missing (an entry has metadata.yaml, user.yaml, nomad.hcl)"
    ]


def test_a_git_url_is_a_catalog(tmp_path: Path) -> None:
    """A repository is read as one commit; a new commit is a new catalog, and a remote that is away an old one."""
    clock = FakeClock()
    repository = Repository(tmp_path / "remote.git")
    repository.commit({str(path): data for path, data in files_of("modules/a", below="catalog/").items()})
    config = GitConfig(url=f"file://{repository.path}", allow_insecure=True, interval=10)
    source = GitSource(config, clock=clock, cache=tmp_path / "cache")
    cached = CachedCatalog(FromSource(source), clock=clock)
    try:
        assert sorted(cached.catalog().entries) == ["modules/a"]

        repository.commit({str(path): data for path, data in files_of("tools/b", below="catalog/").items()})
        assert sorted(cached.catalog().entries) == ["modules/a"]
        assert sorted(cached.refresh().entries) == ["modules/a", "tools/b"]

        repository.path.rename(tmp_path / "away")
        clock.advance(FRESH + 1)
        assert sorted(cached.catalog().entries) == ["modules/a", "tools/b"]
    finally:
        source.close()


# -- caching -----------------------------------------------------------------------------------------------------------


def test_a_catalog_is_read_every_six_hours() -> None:
    """Within six hours nobody is asked again; after them, and on demand, the origin is."""
    clock, shelf = FakeClock(), Shelf("modules/a")
    cached = CachedCatalog(shelf, clock=clock)
    first = cached.catalog()
    shelf.held = files_of("modules/b")
    clock.advance(FRESH - 1)

    assert (cached.catalog() is first, shelf.reads) == (True, 1)
    clock.advance(1)
    assert (sorted(cached.catalog().entries), shelf.reads) == (["modules/b"], 2)
    shelf.held = files_of("modules/c")
    assert (sorted(cached.refresh().entries), shelf.reads) == (["modules/c"], 3)
    clock.advance(FRESH - 1)
    assert (sorted(cached.catalog().entries), shelf.reads) == (["modules/c"], 3)


@pytest.mark.parametrize("failure", [SourceError("no route"), Unavailable("no route")])
def test_what_was_read_is_served_while_the_origin_is_away(failure: HerdsmanError) -> None:
    """Stale is better than nothing, and says so; the origin is tried again each minute until it is back."""
    clock, shelf = FakeClock(), Shelf("modules/a")
    cached = CachedCatalog(shelf, clock=clock)
    cached.catalog()
    shelf.failure = failure
    clock.advance(FRESH)

    assert (sorted(cached.catalog().entries), cached.catalog().problem) == (["modules/a"], "no route")
    assert shelf.reads == 2
    clock.advance(RETRY)
    assert (cached.catalog().problem, shelf.reads) == ("no route", 3)
    assert cached.refresh().problem == "no route"
    shelf.failure = None
    clock.advance(RETRY)
    assert (sorted(cached.catalog().entries), cached.catalog().problem) == (["modules/a"], "")


def test_what_was_never_read_is_no_empty_catalog() -> None:
    """Where the origin was never there the catalog says why it holds nothing, and the origin is not asked in a loop."""
    clock, shelf = FakeClock(), Shelf("modules/a")
    shelf.failure = SourceError("no route")
    cached = CachedCatalog(shelf, clock=clock)

    assert (cached.catalog().entries, cached.catalog().problem, shelf.reads) == ({}, "no route", 1)
    shelf.failure = None
    assert (cached.catalog().problem, shelf.reads) == ("no route", 1)
    clock.advance(RETRY)
    assert (sorted(cached.catalog().entries), cached.catalog().problem) == (["modules/a"], "")


def test_the_last_good_version_of_a_broken_entry_is_served() -> None:
    """One broken entry breaks no other, and does not take its own deployments with it; one that is gone is gone."""
    clock, shelf = FakeClock(), Shelf("modules/a", "modules/b", "modules/c")
    cached = CachedCatalog(shelf, clock=clock)
    good = cached.catalog().entries["modules/a"]
    shelf.held = {**files_of("modules/a", "modules/b"), "modules/a/user.yaml": b"g: 1", "modules/d/user.yaml": b"g: 1"}
    found = cached.refresh()

    assert sorted(found.entries) == ["modules/a", "modules/b"]
    assert found.entries["modules/a"] is good
    assert sorted(found.broken) == ["modules/a", "modules/d"]
    assert cached.refresh().entries["modules/a"] is good
    shelf.held = files_of("modules/a")
    assert cached.refresh().broken == {}
    assert cached.catalog().entries["modules/a"] == good


def test_others_are_served_while_one_reads() -> None:
    """A slow origin holds nobody up who can have what was read before, and is asked once, not by all at a time."""
    clock, shelf = FakeClock(), Shelf("modules/a")
    cached = CachedCatalog(shelf, clock=clock)
    first = cached.catalog()
    clock.advance(FRESH)
    reading, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reading.set()
        assert go_on.wait(20)

    shelf.meanwhile = wait
    slow: list[Catalog] = []
    thread = threading.Thread(target=lambda: slow.append(cached.catalog()))
    thread.start()
    assert reading.wait(20)

    assert cached.catalog() is first
    go_on.set()
    thread.join(20)
    assert shelf.reads == 2
    assert cached.catalog() is slow[0]


def test_the_first_reading_is_done_once() -> None:
    """Where nothing was read yet, all wait for the one who reads."""
    shelf = Shelf("modules/a")
    cached = CachedCatalog(shelf, clock=FakeClock())
    start, found = threading.Barrier(8), []

    def look() -> None:
        start.wait(20)
        found.append(cached.catalog())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert shelf.reads == 1
    assert len(found) == 8
    assert all(sorted(catalog.entries) == ["modules/a"] for catalog in found)


def test_several_catalogs_are_one() -> None:
    """The fleet's own entry goes before that of the package; one origin that is away does not hide the others."""
    clock = FakeClock()
    own, package = Shelf("modules/a", "modules/mine"), Shelf("modules/a", "tools/b")
    own.held["modules/a/metadata.yaml"] = b"title: Mine\nsummary: s\n"
    both = Catalogs(CachedCatalog(own, clock=clock), CachedCatalog(package, clock=clock))

    assert sorted(both.catalog().entries) == ["modules/a", "modules/mine", "tools/b"]
    assert both.catalog().entries["modules/a"].metadata.title == "Mine"
    own.failure = SourceError("no route")
    package.held = files_of("tools/c")
    assert sorted(both.refresh().entries) == ["modules/a", "modules/mine", "tools/c"]
    assert both.catalog().problem == "no route"


def snapshot_of(files: dict[str, bytes]) -> Snapshot:
    """A snapshot with those files."""
    return Snapshot("r", {path: SourceFile(path, data) for path, data in files.items()})


def test_the_fleets_own_entries_count_with_their_commit() -> None:
    """What a snapshot has below catalog/ goes before all else, as it is in that snapshot, and is read once."""
    shelf = Shelf("modules/a", "tools/b")
    fleet = FleetCatalog(CachedCatalog(shelf, clock=FakeClock()))
    own = files_of("modules/a", below="catalog/") | {"web.yaml": b"kind: Job"}
    mine = {**own, "catalog/modules/a/metadata.yaml": b"title: Mine\nsummary: s\n"}

    assert fleet.catalog(snapshot_of({})).entries["modules/a"].folder == "shelf/modules/a"
    first = fleet.catalog(snapshot_of(own)).entries["modules/a"]
    assert first.folder == "catalog/modules/a"
    assert fleet.catalog(snapshot_of({**own, "web.yaml": b"kind: Fleet"})).entries["modules/a"] is first
    assert fleet.catalog(snapshot_of(mine)).entries["modules/a"].metadata.title == "Mine"
    assert sorted(fleet.catalog(snapshot_of(mine)).entries) == ["modules/a", "tools/b"]
    assert shelf.reads == 1
