"""All documents of a snapshot, folded: where specs meet each other, the fleet, and the files that they name."""

from collections.abc import Mapping
from hashlib import sha256
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import fleet_document, group, job_document
from herdsman.core.desire import NO_FLEET, desire, nothing
from herdsman.core.parse import parse_file
from herdsman.model.desired import Desired, DesiredJob, DesiredNamespace, Drift, Fleet, Prune
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.sources import Snapshot, SourceFile

A, B, C = (job_key("default", name) for name in "abc")
SPECS = (".yaml", ".yml", ".json")


def load(files: Mapping[str, str | bytes | None], *, last: Fleet | None = None, revision: str = "r1") -> Desired:
    """What *files* ask for; None is a file that could not be read."""
    data = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    found = {
        p: SourceFile(p, d, sha256(d or b"").hexdigest(), "" if d is not None else "permission denied")
        for p, d in data.items()
    }
    parsed = [parse_file(p, d) for p, d in sorted(data.items()) if d is not None and p.endswith(SPECS)]
    return desire(parsed, Snapshot(revision, found, author="me"), default_fleet="default", last_fleet=last)


def job(found: Desired, key: Key = A) -> DesiredJob:
    wanted = found.wanted[key]
    assert isinstance(wanted, DesiredJob)
    return wanted


def namespace(name: str, **spec: Any) -> str:
    return yaml.safe_dump(
        {"apiVersion": "herdsman/v1", "kind": "Namespace", "metadata": {"name": name}, "spec": spec}
    )  # fmt: skip


def hcl(name: str, text: str = "", **spec: Any) -> str:
    body = {"hcl": text or f'job "{name}" {{}}'} | spec if "file" not in spec else spec
    return yaml.safe_dump({"apiVersion": "herdsman/v1", "kind": "Job", "metadata": {"name": name}, "spec": body})


def messages(found: Desired) -> list[str]:
    return [str(r) for r in found.rejections]


# -- identity ----------------------------------------------------------------------------------------------------------


def test_a_spec_is_wanted_with_its_place_and_revision() -> None:
    """Key, digest, origin and labels come from the document."""
    found = job(load({"x/a.yaml": job_document("a")}))

    assert (found.key, found.origin.position.path, found.origin.revision, found.origin.author) == (
        A,
        "x/a.yaml",
        "r1",
        "me",
    )
    assert found.digest


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a.yaml": job_document("a")}, {"moved/b.yaml": job_document("a")}, True),
        ({"a.yaml": job_document("a")}, {"a.yaml": "# a comment\n" + job_document("a")}, True),
        ({"a.yaml": job_document("a")}, {"a.yaml": job_document("a", policy={"prune": "keep"})}, True),
        ({"a.yaml": job_document("a")}, {"a.yaml": job_document("a", Priority=60)}, False),
        ({"a.yaml": hcl("a")}, {"b.yaml": hcl("a")}, True),
        ({"a.yaml": hcl("a")}, {"a.yaml": hcl("a", "job \"a\" { }")}, False),
        ({"a.yaml": hcl("a", variables={"x": 1})}, {"a.yaml": hcl("a", variables={"x": 2})}, False),
        ({"a.yaml": hcl("a", variables={"x": 1, "y": 2})}, {"a.yaml": hcl("a", variables={"y": 2, "x": 1})}, True),
        ({"a.yaml": hcl("a")}, {"a.yaml": hcl("a", file="a.hcl"), "a.hcl": 'job "a" {}'}, True),
    ],
    ids=["moved", "comment", "policy", "priority", "moved hcl", "hcl text", "variables", "order", "in a file"],
)  # fmt: skip
def test_the_digest_is_of_what_decides_the_job(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    """Not of where it stands, nor of how it is kept."""
    assert (job(load(one)).digest == job(load(other)).digest) is same


def test_two_specs_for_one_job_reject_each_other() -> None:
    """Both are left out, each names the other, and the key is frozen."""
    found = load({"a.yaml": job_document("a"), "b/c.yaml": job_document("a", Priority=60), "z.yaml": job_document("b")})

    assert found.wanted.keys() == {B}
    assert found.frozen.keys() == {A}
    assert [r.position.path for r in found.rejections] == ["a.yaml", "b/c.yaml"]
    assert ["b/c.yaml" in found.rejections[0].hint, "a.yaml" in found.rejections[1].hint] == [True, True]


def test_the_same_name_in_another_namespace_is_another_job() -> None:
    """Identity is namespace and name."""
    found = load({"a.yaml": job_document("a") + "---\n" + job_document("a", namespace="team")})

    assert found.wanted.keys() == {A, job_key("team", "a")}


# -- the fleet ---------------------------------------------------------------------------------------------------------


def test_the_fleet_sets_the_policy_of_all() -> None:
    """A spec says what is different for it alone."""
    files = {
        "fleet.yaml": fleet_document(policy={"drift": "warn", "prune": "stop"}),
        "a.yaml": job_document("a"),
        "b.yaml": job_document("b", policy={"drift": "off"}),
    }
    found = load(files)

    assert (job(found).policy.drift, job(found).policy.prune) == (Drift.WARN, Prune.STOP)
    assert (job(found, B).policy.drift, job(found, B).policy.prune) == (Drift.OFF, Prune.STOP)


def test_without_a_fleet_the_default_name_holds() -> None:
    """One process, one source: a Fleet document may be left out."""
    found = load({"a.yaml": job_document("a")})

    assert (found.fleet.name, found.blocked) == ("default", "")


def test_two_fleets_reject_each_other() -> None:
    """The last that was understood holds; where none was, nothing may be written."""
    files = {"f.yaml": fleet_document("f"), "g.yaml": fleet_document("g"), "a.yaml": job_document("a")}

    assert load(files).blocked == NO_FLEET
    with_last = load(files, last=Fleet("f"))
    assert (with_last.fleet.name, with_last.blocked) == ("f", "")
    assert [r.position.path for r in with_last.rejections] == ["f.yaml", "g.yaml"]
    assert "g.yaml" in with_last.rejections[0].hint


@pytest.mark.parametrize("broken", ["kind: Fleet\n  x", None, "apiVersion: herdsman/v1\nkind: Fleet\nmetadata: {}\n"])
def test_a_fleet_that_cannot_be_understood(broken: str | None) -> None:
    """Its last value holds; where there is none, nothing may be written, because whose the jobs would be is unknown."""
    files = {"f.yaml": broken, "a.yaml": job_document("a")}

    assert load(files).blocked == NO_FLEET
    assert load(files, last=Fleet("f")).blocked == ""
    assert load(files, last=Fleet("f")).fleet.name == "f"


@pytest.mark.parametrize("kind", ["fleet", "Flet", "FLEET"])
def test_a_misspelt_fleet_is_no_missing_fleet(kind: str) -> None:
    """A document of an unknown kind may be the Fleet, whose name is then unknown: jobs must not get another stamp."""
    files = {"x.yaml": fleet_document("prod").replace("kind: Fleet", f"kind: {kind}"), "a.yaml": job_document("a")}

    assert load(files).blocked == NO_FLEET


@pytest.mark.parametrize(("globs", "allowed"), [(["team-*"], False), (["d?fault"], True), (["x", "default"], True)])
def test_the_fleet_touches_its_own_namespaces_alone(globs: list[str], allowed: bool) -> None:
    """A spec elsewhere is rejected, with the place of its namespace and the patterns that hold."""
    found = load({"f.yaml": fleet_document(namespaces=globs), "a.yaml": job_document("a")})

    assert (A in found.wanted) is allowed
    assert (A in found.frozen) is not allowed
    assert allowed or globs[0] in found.rejections[0].hint


def test_a_namespace_outside_the_fleets_is_rejected() -> None:
    """Creating it would be touching it."""
    found = load(
        {"f.yaml": fleet_document(namespaces=["team-*"]), "n.yaml": namespace("x"), "m.yaml": namespace("team-a")}
    )

    assert found.wanted.keys() == {namespace_key("team-a")}
    assert found.frozen.keys() == {namespace_key("x")}


# -- dependencies ------------------------------------------------------------------------------------------------------


def test_a_job_depends_on_the_namespace_that_it_lives_in() -> None:
    """Without saying so, where the source declares that namespace."""
    found = load(
        {"n.yaml": namespace("team"), "a.yaml": job_document("a", namespace="team"), "b.yaml": job_document("b")}
    )

    assert job(found, job_key("team", "a")).depends_on == (namespace_key("team"),)
    assert job(found, B).depends_on == ()


def test_a_dependency_is_found_by_its_short_name() -> None:
    """A name means a job of the same namespace; a mapping says more."""
    policy = {"dependsOn": ["b", {"kind": "Namespace", "name": "team"}, {"name": "x", "namespace": "team"}]}
    files = {
        "a.yaml": job_document("a", policy=policy),
        "b.yaml": job_document("b"),
        "n.yaml": namespace("team"),
        "x.yaml": job_document("x", namespace="team"),
    }

    assert job(load(files)).depends_on == (B, namespace_key("team"), job_key("team", "x"))


def test_a_dependency_that_nobody_declares_is_refused() -> None:
    """With the nearest name that there is."""
    found = load({"a.yaml": job_document("a", policy={"dependsOn": ["databse"]}), "b.yaml": job_document("database")})

    assert found.frozen.keys() == {A}
    assert 'did you mean "database"?' in messages(found)[0]


def test_a_dependency_on_a_rejected_spec_is_no_error_of_its_own() -> None:
    """It waits; only the rejected one is told."""
    found = load({"a.yaml": job_document("a", policy={"dependsOn": ["b"]}), "b.yaml": job_document("b", Prioritty=1)})

    assert found.frozen.keys() == {B}
    assert A in found.wanted


@pytest.mark.parametrize(
    ("edges", "refused"),
    [
        ({"a": ["a"]}, "a"),
        ({"a": ["b"], "b": ["a"]}, "ab"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "abc"),
        ({"a": ["b"], "b": ["a"], "c": ["a"]}, "ab"),
        ({"a": ["b"], "b": ["c"]}, ""),
    ],
)
def test_a_circle_of_dependencies_is_refused(edges: dict[str, list[str]], refused: str) -> None:
    """Every spec in it; those beside it stay."""
    files = {
        f"{n}.yaml": job_document(n, policy={"dependsOn": edges.get(n, [])} if n in edges else None) for n in "abc"
    }
    found = load(files)

    assert {k.name for k in found.frozen} == set(refused)
    assert {k.name for k in found.wanted} == set("abc") - set(refused)


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3, unique=True)))
def test_what_is_left_has_no_circle(edges: dict[str, list[str]]) -> None:
    """Whatever depends on whatever: following what is wanted always comes to an end."""
    files = {f"{n}.yaml": job_document(n, policy={"dependsOn": edges.get(n, [])}) for n in "abcdef"}
    found = load(files)

    def depth(key: Key, seen: tuple[Key, ...] = ()) -> int:
        assert key not in seen
        needs = [n for n in found.wanted[key].depends_on if n in found.wanted]
        return 1 + max((depth(n, (*seen, key)) for n in needs), default=0)

    for key in found.wanted:
        depth(key)
    assert found.wanted.keys() | found.frozen.keys() == {job_key("default", n) for n in "abcdef"}


# -- files that a spec names -------------------------------------------------------------------------------------------


def test_a_jobspec_in_a_file_of_its_own() -> None:
    """The path starts at the spec's folder; an error will name that file."""
    found = job(load({"x/a.yaml": hcl("a", file="jobs/a.hcl"), "x/jobs/a.hcl": 'job "a" {}'}))

    assert found.hcl is not None
    assert (found.hcl.text, found.hcl.path, found.hcl.offset) == ('job "a" {}', "x/jobs/a.hcl", 0)


def test_inline_hcl_knows_where_it_stands() -> None:
    """So that an error of its parser can be told in lines of the spec file."""
    text = dedent("""\
        apiVersion: herdsman/v1
        kind: Job
        metadata: {name: a}
        spec:
          hcl: |
            job "a" {
            }
        """)
    found = job(load({"a.yaml": text}))

    assert found.hcl is not None
    assert found.hcl.offset == 5


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_json_job_in_a_file_of_its_own(wrapped: bool) -> None:
    """In the API's form, bare or as `{"Job": …}`; the file itself is no spec, and no error."""
    body = '{"Datacenters": ["dc1"], "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "d"}]}]}'
    found = load({"a.yaml": hcl("a", file="a.json"), "a.json": f'{{"Job": {body}}}' if wrapped else body})

    assert messages(found) == []
    assert job(found).body is not None


def test_a_json_job_with_an_error_freezes_its_spec() -> None:
    """The error is told at its place in the JSON file."""
    found = load({"a.yaml": hcl("a", file="a.json"), "a.json": '{\n  "Prioritty": 5\n}'})

    assert found.frozen.keys() == {A}
    assert ("a.json", 2, "Prioritty") in {(r.position.path, r.position.line, r.field) for r in found.rejections}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there is no file a.hcl"),
        ({"a.hcI": "x"}, "did you mean a.hcI?"),
        ({"a.hcl": b"\xff\xfe\xff"}, "is not UTF-8"),
        ({"a.hcl": None}, "permission denied"),
    ],
)
def test_a_file_that_cannot_be_used_freezes_its_spec(files: dict[str, Any], said: str) -> None:
    """The live job stays as it is, and the spec says what is missing."""
    found = load({"a.yaml": hcl("a", file="a.hcl"), **files})

    assert found.frozen.keys() == {A}
    assert any(said in m for m in messages(found))


# -- what could not be understood --------------------------------------------------------------------------------------


def test_a_file_that_nobody_understands_is_kept_with_its_text() -> None:
    """It may declare every job that it names."""
    found = load({"a.yaml": "name: [b\n", "c.yaml": job_document("c")})

    assert [(f.path, f.text) for f in found.unread] == [("a.yaml", b"name: [b\n")]
    assert found.wanted.keys() == {C}


def test_a_file_that_cannot_be_read_has_no_text() -> None:
    """Nobody knows what it declares."""
    found = load({"a.yaml": None})

    assert [(f.path, f.text) for f in found.unread] == [("a.yaml", None)]
    assert "permission denied" in messages(found)[0]


def test_a_document_with_an_identity_freezes_that_alone() -> None:
    """A spec whose name is readable is no riddle: the file counts as understood."""
    found = load({"a.yaml": job_document("a", Prioritty=1) + "---\n" + job_document("b")})

    assert found.frozen.keys() == {A}
    assert found.unread == ()
    assert B in found.wanted


def test_rejections_are_told_in_the_order_of_files() -> None:
    """By path, line and column."""
    found = load({"b.yaml": "kind: [", "a.yaml": job_document("a", Prioritty=1, Typpe="x")})

    assert [r.position.path for r in found.rejections] == ["a.yaml", "a.yaml", "b.yaml"]
    assert [r.position.line for r in found.rejections[:2]] == sorted(r.position.line for r in found.rejections[:2])


def test_before_anything_was_read_nothing_is_wanted_and_nothing_may_go() -> None:
    """The empty beginning is unsettled: it removes nothing."""
    empty = nothing("f")

    assert (empty.fleet.name, dict(empty.wanted), empty.settled) == ("f", {}, False)


def test_a_namespace_is_wanted_as_it_is_declared() -> None:
    """Description and meta, under the fleet's policy with its own over it."""
    found = load({"n.yaml": namespace("team", description="ours", meta={"a": "b"}, policy={"prune": "keep"})})
    wanted = found.wanted[namespace_key("team")]

    assert isinstance(wanted, DesiredNamespace)
    assert (wanted.description, wanted.meta, wanted.policy.prune) == ("ours", {"a": "b"}, Prune.KEEP)


texts = st.dictionaries(
    st.sampled_from(["a.yaml", "b.yaml", "c.yaml", "fleet.yaml"]),
    st.sampled_from(
        [
            job_document("a"),
            job_document("a", TaskGroups=[group(count=2)]),
            job_document("b"),
            job_document("c", Prioritty=1),
            fleet_document("f"),
            "kind: [",
            "",
        ]
    ),
)


@given(texts)
def test_whatever_is_in_the_files_nothing_is_both_wanted_and_frozen(files: dict[str, str]) -> None:
    """A key is wanted, frozen, or neither; each frozen one has a rejection; and a second time says the same."""
    found = load(files)

    assert not found.wanted.keys() & found.frozen.keys()
    assert found.frozen.keys() <= {r.key for r in found.rejections}
    assert load(dict(reversed(files.items()))) == found
