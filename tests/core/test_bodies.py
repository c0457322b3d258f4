"""The body that a spec asks for, and snapshots understood one after the other: `load.Bodies` and `load.Loader`."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
import pytest

from harness import fleet_document, job_document
from herdsman.adapters.store import SqliteStore
from herdsman.errors import Forbidden, Refused, Unavailable
from herdsman.load import Bodies, Loader, at_home
from herdsman.model.desired import DesiredJob, HclSource, Origin, Policy, Position
from herdsman.model.keys import Key, job_key
from herdsman.model.observed import STAMP, Body
from herdsman.model.sources import Snapshot, SourceFile

A, B = job_key("default", "a"), job_key("default", "b")
ORIGIN = Origin(Position("a.yaml"))


class Parser:
    """Answers what it is told to, and counts how often it is asked."""

    def __init__(self, answer: Body | Exception) -> None:
        self.answer, self.calls = answer, 0

    def parse(self, hcl: str, *, variables: Mapping[str, Any], namespace: str) -> Body:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def of_hcl(key: Key = A, digest: str = "d", offset: int = 0) -> DesiredJob:
    return DesiredJob(key, digest, Policy(), ORIGIN, hcl=HclSource("job {}", {}, "jobs/a.hcl", offset))


def test_a_json_body_is_as_the_spec_has_it() -> None:
    """Nobody needs to be asked."""
    parser = Parser(Unavailable("away"))
    wanted = DesiredJob(A, "d", Policy(), ORIGIN, body=orjson.dumps({"ID": "a", "Priority": 60}))

    assert Bodies(parser)(wanted) == {"ID": "a", "Priority": 60}
    assert parser.calls == 0


def test_a_jobspec_is_parsed_once() -> None:
    """What it comes to is remembered by its digest, and every caller gets a copy of its own."""
    parser = Parser({"ID": "a", "Meta": {"k": "v"}})
    bodies = Bodies(parser)

    first = bodies(of_hcl())
    first["Meta"]["k"] = "changed"

    assert bodies(of_hcl())["Meta"] == {"k": "v"}
    assert parser.calls == 1


def test_what_was_parsed_long_ago_is_forgotten() -> None:
    """Memory is bounded."""
    parser = Parser({"ID": "a"})
    bodies = Bodies(parser, most=2)
    for digest in ("1", "2", "3", "3", "1"):
        bodies(of_hcl(digest=digest))

    assert parser.calls == 4


def test_a_body_is_named_by_the_metadata() -> None:
    """ID, name and namespace come from there."""
    body = Bodies(Parser({"ID": None, "Name": ""}))(of_hcl())

    assert (body["ID"], body["Name"], body["Namespace"]) == ("a", "a", "default")


@pytest.mark.parametrize("field", ["ID", "Name", "Namespace"])
def test_a_jobspec_that_names_another_job_is_refused(field: str) -> None:
    """The words name the file and both names."""
    with pytest.raises(Refused, match=r"jobs/a\.hcl.*'other'.*metadata"):
        Bodies(Parser({"ID": "a"} | {field: "other"}))(of_hcl())


def test_the_stamp_is_not_for_people_to_write() -> None:
    """A jobspec that claims to be a fleet's is refused."""
    with pytest.raises(Refused, match=STAMP):
        Bodies(Parser({"ID": "a", "Meta": {STAMP: "f"}}))(of_hcl())


def test_an_error_of_the_parser_is_told_where_a_person_edits() -> None:
    """Lines of inline HCL become lines of the spec file."""
    parser = Parser(Refused("input.hcl:2,3-8: Unsupported block type", hint="check it", status=500))

    with pytest.raises(Refused) as caught:
        Bodies(parser)(of_hcl(offset=10))

    assert caught.value.message == "jobs/a.hcl:12:3: Unsupported block type"
    assert (caught.value.hint, caught.value.status) == ("check it", 500)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("input.hcl:1,1-2,4: x", "a.yaml:5:1: x"),
        ("<nil>: Missing", "<nil>: Missing"),
        ("one input.hcl:1,2 two input.hcl:3,4", "one a.yaml:5:2 two a.yaml:7:4"),
    ],
)
def test_places_are_moved_home(message: str, said: str) -> None:
    """Every place in a message, and nothing else of it."""
    assert at_home(message, "a.yaml", 4) == said


def test_nothing_is_remembered_of_a_parser_that_is_away() -> None:
    """The next look asks again."""
    parser = Parser(Unavailable("away"))
    bodies = Bodies(parser)
    with pytest.raises(Unavailable):
        bodies(of_hcl())
    parser.answer = {"ID": "a"}

    assert bodies(of_hcl())["ID"] == "a"


def test_one_jobspec_under_two_names_is_refused_for_the_second() -> None:
    """Two specs with the same text are two jobs; the text can name one of them only."""
    bodies = Bodies(Parser({"ID": "a"}))
    bodies(of_hcl(A))

    with pytest.raises(Refused):
        bodies(of_hcl(B))


def test_a_token_that_may_not_parse_is_forbidden() -> None:
    """It is no mistake of the jobspec: the reason must say so."""
    with pytest.raises(Forbidden):
        Bodies(Parser(Forbidden("Permission denied", status=403)))(of_hcl())


# -- snapshots ---------------------------------------------------------------------------------------------------------


def snapshot(files: Mapping[str, str | None], *, settled: bool = True) -> Snapshot:
    data = {p: t.encode() if t is not None else None for p, t in files.items()}
    found = {p: SourceFile(p, d, sha256(d or b"").hexdigest(), "" if d else "denied") for p, d in data.items()}
    return Snapshot("r", found, settled=settled)


@pytest.fixture
def loader() -> Loader:
    """A loader that remembers nothing yet."""
    return Loader(fleet="default", store=SqliteStore(":memory:"))


def test_the_last_fleet_outlives_its_document() -> None:
    """Name and limits are kept in the store, for the next process too."""
    store = SqliteStore(":memory:")
    Loader(fleet="default", store=store).load(snapshot({"f.yaml": fleet_document("prod")}))

    found = Loader(fleet="default", store=store).load(snapshot({"f.yaml": "kind: Fleet\n  broken"}))

    assert (found.fleet.name, found.blocked) == ("prod", "")


def test_an_ignored_file_is_no_spec_and_no_error(loader: Loader) -> None:
    """`.herdsmanignore` speaks gitignore; what it lists holds nothing up, readable or not."""
    files = {".herdsmanignore": "drafts/\n*.tmp.yaml\n", "a.yaml": job_document("a")}
    found = loader.load(snapshot(files | {"drafts/b.yaml": "kind: [", "x.tmp.yaml": "kind: [", "drafts/c.yaml": None}))

    assert found.wanted.keys() == {A}
    assert found.rejections == ()


def test_a_bad_ignore_rule_is_told(loader: Loader) -> None:
    """A rule that means nothing is an error of that file, not of the others."""
    found = loader.load(snapshot({".herdsmanignore": "!\n", "a.yaml": job_document("a")}))

    assert A in found.wanted
    assert [r.position.path for r in found.rejections] == [".herdsmanignore"]


def test_a_file_that_changed_is_read_again(loader: Loader) -> None:
    """What is remembered of files is remembered by their content."""
    first = loader.load(snapshot({"a.yaml": job_document("a")})).wanted[A].digest
    second = loader.load(snapshot({"a.yaml": job_document("a", Priority=60)})).wanted[A].digest
    third = loader.load(snapshot({"a.yaml": job_document("a")})).wanted[A].digest

    assert first != second
    assert first == third


def test_a_checkout_under_way_does_not_name_the_fleet(loader: Loader) -> None:
    """Where no Fleet is known and the source is still being written to, nobody knows whose the jobs are."""
    found = loader.load(snapshot({"a.yaml": job_document("a")}, settled=False))

    assert found.blocked
