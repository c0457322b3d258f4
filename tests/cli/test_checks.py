"""Checks before a merge: what `diff` says of each kind of change, on what was exported and since a base."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.branches import Files, Ran, commit, exported, exporter, git, program, ran, repository, said, write
from harness import Harness, fleet_document, group, job_document
from herdsman.cli.previews import Still, understood
from herdsman.errors import UsageError
from herdsman.model.keys import job_key

FLEET = {"fleet.yaml": fleet_document()}
WEB = {"web.yaml": job_document("web")}
BASE: Files = {**FLEET, **WEB}


def hcl(name: str, count: int, **spec: Any) -> str:
    """A `Job` document with a jobspec."""
    variables = f"  variables: {{count: {count}}}\n"
    task = 'task "t" {\n      driver = "mock_driver"\n    }'
    body = f'job "{name}" {{\n  group "g" {{\n    count = var.count\n    {task}\n  }}\n}}'
    text = f'variable "count" {{\n  type = number\n}}\n{body}\n'.replace("\n", "\n    ")
    head = f"apiVersion: herdsman/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec:\n{variables}  hcl: |\n    "
    return head + text


NAMESPACE = "apiVersion: herdsman/v1\nkind: Namespace\nmetadata: {name: team}\nspec: {description: %s}\n"


def variable(encrypted: str = "", **items: str) -> str:
    """A `Variable` document; *encrypted* is what stands in the armour of its secret."""
    armour = f"-----BEGIN AGE ENCRYPTED FILE-----\n{encrypted}\n-----END AGE ENCRYPTED FILE-----\n"
    spec: dict[str, Any] = {"items": items} | ({"encrypted": {"secret": armour}} if encrypted else {})
    head = {"apiVersion": "herdsman/v1", "kind": "Variable", "metadata": {"name": "conf/app"}}
    return yaml.safe_dump({**head, "spec": spec})


CASES: dict[str, tuple[Files, Files, dict[str, tuple[str, str]], int]] = {
    "nothing": (BASE, BASE, {}, 0),
    "a new job": (BASE, {**BASE, "new.yaml": job_document("new")}, {"new": ("create", "Missing")}, 2),
    "a count": (
        BASE,
        {**FLEET, "web.yaml": job_document("web", TaskGroups=[group(count=3)])},
        {"web": ("in-place", "SpecChanged")}, 2,
    ),
    "a priority": (
        BASE, {**FLEET, "web.yaml": job_document("web", Priority=70)}, {"web": ("in-place", "SpecChanged")}, 2,
    ),
    "meta": (
        BASE, {**FLEET, "web.yaml": job_document("web", Meta={"a": "b"})}, {"web": ("destructive", "SpecChanged")}, 2,
    ),
    "a job that goes": ({**BASE, "db.yaml": job_document("db")}, BASE, {"db": ("purge", "Unwanted")}, 2),
    "a job that is only stopped": (
        {**BASE, "db.yaml": job_document("db", policy={"prune": "stop"})}, BASE, {"db": ("stop", "Unwanted")}, 2,
    ),
    "a job that is kept": ({**BASE, "db.yaml": job_document("db", policy={"prune": "keep"})}, BASE, {}, 0),
    "the whole fleet": (BASE, FLEET, {"web": ("held", "PruneLimit")}, 2),
    "a renamed file": (BASE, {**FLEET, "moved/w.yaml": job_document("web")}, {}, 0),
    "a comment": (BASE, {**FLEET, "web.yaml": "# words\n" + job_document("web")}, {}, 0),
    "a policy alone": (BASE, {**FLEET, "web.yaml": job_document("web", policy={"prune": "keep"})}, {}, 0),
    "approval": (
        {**FLEET, "web.yaml": job_document("web", policy={"destructive": "approve"})},
        {**FLEET, "web.yaml": job_document("web", policy={"destructive": "approve"}, Meta={"a": "b"})},
        {"web": ("held", "NeedsApproval")}, 2,
    ),
    "suspended": (
        BASE,
        {**FLEET, "web.yaml": job_document("web", policy={"suspend": True}, Priority=9)},
        {"web": ("held", "Suspended")}, 2,
    ),
    "a jobspec's variable": (
        {**FLEET, "h.yaml": hcl("h", 1)}, {**FLEET, "h.yaml": hcl("h", 4)}, {"h": ("in-place", "SpecChanged")}, 2,
    ),
    "another type": (BASE, {**FLEET, "web.yaml": job_document("web", Type="batch")}, {"web": ("failed", "Refused")}, 1),
    "a job that Nomad would refuse": (
        BASE, {**BASE, "x.yaml": job_document("x", Priority=1000)}, {"x": ("failed", "Refused")}, 1,
    ),
    "a namespace and what is in it": (
        BASE,
        {**BASE, "ns.yaml": NAMESPACE % "x", "in.yaml": job_document("in", namespace="team")},
        {"team": ("create", "Missing"), "in": ("create", "Missing")}, 2,
    ),
    "a namespace that goes with what is in it": (
        {**BASE, "ns.yaml": NAMESPACE % "x", "in.yaml": job_document("in", namespace="team")},
        BASE,
        {"team": ("purge", "Unwanted"), "in": ("purge", "Unwanted")}, 2,
    ),
    "a namespace's words": (
        {**BASE, "ns.yaml": NAMESPACE % "x"},
        {**BASE, "ns.yaml": NAMESPACE % "y"},
        {"team": ("in-place", "SpecChanged")}, 2,
    ),
    "a variable": (BASE, {**BASE, "v.yaml": variable(a="1")}, {"conf/app": ("create", "Missing")}, 2),
    "a variable that stays": ({**BASE, "v.yaml": variable(a="1")}, {**BASE, "w.yaml": variable(a="1")}, {}, 0),
    "an item": (
        {**BASE, "v.yaml": variable(a="1")},
        {**BASE, "v.yaml": variable(a="2")},
        {"conf/app": ("in-place", "SpecChanged")}, 2,
    ),
    "a variable that goes": (
        {**BASE, "v.yaml": variable(a="1")}, BASE, {"conf/app": ("purge", "Unwanted")}, 2,
    ),
    "what waits for what is held": (
        {**FLEET, "a.yaml": job_document("a", policy={"destructive": "approve"})},
        {
            **FLEET,
            "a.yaml": job_document("a", policy={"destructive": "approve"}, Meta={"x": "y"}),
            "b.yaml": job_document("b", policy={"dependsOn": [{"name": "a"}]}),
        },
        {"a": ("held", "NeedsApproval"), "b": ("held", "DependencyNotReady")}, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_since_a_base(case: str, tmp_path: Path) -> None:
    """With a base alone, the specs there are what is live: what the branch would do comes out."""
    base, branch, expected, code = CASES[case]
    folder = repository(tmp_path / "repo", base, branch)

    found = ran("diff", folder / "specs", "--base", "main", "-o", "json")

    assert said(found) == expected
    assert found.code == code
    assert found.json()["base"]["commit"] == git(folder, "rev-parse", "main")


@pytest.mark.parametrize("case", CASES)
def test_against_an_export(case: str, tmp_path: Path) -> None:
    """What the operator would do comes out of the file alone."""
    base, branch, expected, code = CASES[case]
    harness = Harness(dict(base))
    harness.sync()
    write(tmp_path / "specs", branch)

    found = ran("diff", tmp_path / "specs", "--against", exported(harness, tmp_path / "x.json"), "-o", "json")

    assert said(found) == expected
    assert found.code == code


@pytest.mark.parametrize("case", CASES)
def test_against_an_export_since_a_base(case: str, tmp_path: Path) -> None:
    """On a fleet at rest both come to the same."""
    base, branch, expected, code = CASES[case]
    harness = Harness(dict(base))
    harness.sync()
    folder = repository(tmp_path / "repo", base, branch)

    found = ran(
        "diff", folder / "specs", "--base", "main", "--against", exported(harness, tmp_path / "x"), "-o", "json"
    )

    assert said(found) == expected
    assert found.code == code


# -- what only an export knows -----------------------------------------------------------------------------------------


def compared(harness: Harness, specs: Files, tmp_path: Path, *words: str) -> Ran:
    """What `diff` says of *specs* on the live side of *harness*."""
    write(tmp_path / "specs", specs)
    return ran("diff", tmp_path / "specs", "--against", exported(harness, tmp_path / "x.json"), "-o", "json", *words)


def foreign(name: str, **more: Any) -> dict[str, Any]:
    """A job of somebody else."""
    return {"ID": name, "Name": name, "Namespace": "default", "Datacenters": ["dc1"], "TaskGroups": [group()]} | more


def test_a_job_of_others_is_held(tmp_path: Path) -> None:
    """A spec that takes the name of a job that is not ours would be held, and says whose it is."""
    harness = Harness(dict(BASE))
    harness.nomad.foreign_register(foreign("theirs", Meta={"herdsman_fleet": "other"}))
    harness.sync()

    found = compared(harness, {**BASE, "t.yaml": job_document("theirs")}, tmp_path)

    assert said(found) == {"theirs": ("held", "NotOwned")}
    assert "the fleet other" in found.out


def test_a_job_that_is_wanted_already_is_exported_whole(tmp_path: Path) -> None:
    """An equal job of nobody is adopted without a write: 0, and told."""
    specs = {**BASE, "old.yaml": job_document("old", policy={"adopt": "if-equal", "suspend": True})}
    harness = Harness(dict(specs))
    harness.nomad.foreign_register(foreign("old"))
    harness.sync()

    found = compared(harness, {**BASE, "old.yaml": job_document("old", policy={"adopt": "if-equal"})}, tmp_path)

    assert said(found) == {"old": ("adopt", "Adopted")}
    assert found.code == 0


def test_taking_over_a_job_known_by_name_only_cannot_be_judged(tmp_path: Path) -> None:
    """The answer says how to make an export that knows more; with that, it is judged."""
    harness = Harness(dict(BASE))
    harness.nomad.foreign_register(foreign("old", Priority=20))
    harness.sync()
    specs = {**BASE, "old.yaml": job_document("old", policy={"adopt": "always"})}

    found = compared(harness, specs, tmp_path)

    assert said(found) == {"old": ("failed", "Unavailable")}
    assert found.code == 1
    assert "--also default/old" in found.out

    (tmp_path / "y.json").write_text("".join(exporter(harness).lines([job_key("default", "old")])))
    whole = ran("diff", tmp_path / "specs", "--against", tmp_path / "y.json", "-o", "json")
    assert said(whole) == {"old": ("in-place", "Adopted")}


def test_what_a_person_suspended_is_held(tmp_path: Path) -> None:
    """Wishes of people are exported."""
    harness = Harness(dict(BASE))
    harness.sync()
    harness.store.suspend(job_key("default", "web"), suspended=True)

    found = compared(harness, {**FLEET, "web.yaml": job_document("web", Priority=7)}, tmp_path)

    assert said(found) == {"web": ("held", "Suspended")}


def test_drift_is_told_unless_a_base_says_that_it_was_there(tmp_path: Path) -> None:
    """What is the same on both sides is not the branch's doing."""
    harness = Harness({**BASE, "db.yaml": job_document("db")})
    harness.sync()
    harness.nomad.foreign_edit(job_key("default", "db"), lambda b: b.update(Priority=77))
    folder = repository(
        tmp_path / "repo", harness.files, {**harness.files, "web.yaml": job_document("web", Priority=60)}
    )
    file = exported(harness, tmp_path / "x.json")

    assert said(ran("diff", folder / "specs", "--against", file, "-o", "json")) == {
        "db": ("in-place", "Drifted"),
        "web": ("in-place", "SpecChanged"),
    }
    since = ran("diff", folder / "specs", "--against", file, "--base", "main", "-o", "json")
    assert said(since) == {"web": ("in-place", "SpecChanged")}


def test_a_finished_batch_job_is_not_run_again(tmp_path: Path) -> None:
    """Nomad forgot it, the operator remembers: the export, too."""
    specs = {**BASE, "once.yaml": job_document("once", Type="batch")}
    harness = Harness(dict(specs))
    harness.sync()
    harness.nomad.finish(job_key("default", "once"))
    harness.sync()
    harness.nomad.collect_garbage()
    harness.sync()

    assert said(compared(harness, specs, tmp_path)) == {}
    assert said(compared(harness, {**BASE, "once.yaml": job_document("once", Type="batch", Priority=9)}, tmp_path)) == {
        "once": ("create", "Missing")
    }


def test_an_export_of_another_fleet_says_so(tmp_path: Path) -> None:
    """Not an error: renaming a fleet is a change like any other, and what it comes to is shown."""
    harness = Harness(dict(BASE))
    harness.sync()

    found = compared(harness, {**WEB, "fleet.yaml": fleet_document("g")}, tmp_path)

    assert said(found)["web"] == ("held", "NotOwned")
    assert "is of the fleet f, the specs declare g" in found.out


def test_more_of_a_secret_than_that_it_changed_is_not_told(tmp_path: Path) -> None:
    """A sealed value that changed is named; one that did not is not."""
    before = group(
        Tasks=[{"Name": "t", "Driver": "mock_driver", "Env": {"TOKEN": "one", "PASSWORD": "same", "A": "1"}}]
    )
    after = group(Tasks=[{"Name": "t", "Driver": "mock_driver", "Env": {"TOKEN": "two", "PASSWORD": "same", "A": "1"}}])
    harness = Harness({**FLEET, "web.yaml": job_document("web", TaskGroups=[before])})
    harness.sync()

    found = compared(harness, {**FLEET, "web.yaml": job_document("web", TaskGroups=[after])}, tmp_path)

    (plan,) = found.json()["plans"]
    assert plan["changes"] == [
        {"path": "TaskGroups[g].Tasks[t].Env[TOKEN]", "old": "(sensitive)", "new": "(sensitive, changed)"}
    ]
    assert plan["effect"] == "destructive"


def test_what_is_encrypted_is_compared_as_it_stands(tmp_path: Path) -> None:
    """Nobody can decrypt it where it is checked: another text is a change, the same text is none."""
    folder = repository(
        tmp_path / "repo", {**BASE, "v.yaml": variable("QUFB")}, {**BASE, "v.yaml": variable("QkJC", a="1")}
    )

    assert ran("validate", folder / "specs").code == 0
    assert ran("diff", folder / "specs", "--base", "HEAD").code == 0
    (plan,) = ran("diff", folder / "specs", "--base", "main", "-o", "json").json()["plans"]
    assert (plan["effect"], plan["reason"]) == ("in-place", "SpecChanged")
    assert {"path": "Items[secret]", "old": "(sensitive)", "new": "(sensitive, changed)"} in plan["changes"]


def test_what_is_encrypted_is_supposed_to_be_live_where_nobody_knows(tmp_path: Path) -> None:
    """An export without the operator's record cannot tell: it says nothing rather than always a difference."""
    files = {**BASE, "v.yaml": variable("QUFB")}
    harness = Harness(dict(BASE))
    harness.sync()
    harness.nomad.put_variable("conf/app", {"secret": "clear", "herdsman_fleet": "f: secret"}, if_index=0)
    harness.files = dict(files)
    service = Harness(dict(files), nomad=harness.nomad)
    service.view.replace(understood(Still(service.snapshot()), fleet="f")[0])
    (tmp_path / "x.json").write_text("".join(exporter(service).lines()))
    write(tmp_path / "specs", files)

    found = ran("diff", tmp_path / "specs", "--against", tmp_path / "x.json", "-o", "json")

    assert "conf/app" not in said(found)
    assert "clear" not in (tmp_path / "x.json").read_text()


# -- rejections --------------------------------------------------------------------------------------------------------

BROKEN = "apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: bad}\nspec: {jobb: {}}\n"


def test_only_new_rejections_count(tmp_path: Path) -> None:
    """What was broken before is mentioned, what the branch breaks is an error, and its job is not listed twice."""
    base = {**BASE, "old.yaml": BROKEN}
    folder = repository(tmp_path / "repo", base, {**base, "web.yaml": "# a line more\n" + BROKEN.replace("bad", "web")})

    found = ran("diff", folder / "specs", "--base", "main", "-o", "json")

    assert found.code == 1
    assert [r["path"] for r in found.json()["rejections"]] == ["web.yaml"]
    assert found.json()["plans"] == []
    assert "1 more specs cannot be used, as before" in found.json()["notes"]


def test_a_spec_that_was_broken_and_only_moved_is_not_new(tmp_path: Path) -> None:
    """Lines above it move a rejection; that is no rejection of the branch's."""
    base = {**BASE, "old.yaml": BROKEN}
    folder = repository(tmp_path / "repo", base, {**base, "old.yaml": f"# words\n{BROKEN}"})

    assert ran("diff", folder / "specs", "--base", "main").code == 0


def test_a_spec_that_is_mended_is_created_for_all_that_is_known(tmp_path: Path) -> None:
    """What ran of it is not known at the base, and that is said."""
    folder = repository(tmp_path / "repo", {**BASE, "bad.yaml": BROKEN}, {**BASE, "bad.yaml": job_document("bad")})

    found = ran("diff", folder / "specs", "--base", "main", "-o", "json")

    assert said(found) == {"bad": ("create", "Missing")}
    assert any("counts as nothing" in note for note in found.json()["notes"])


# -- the base ----------------------------------------------------------------------------------------------------------


def test_what_came_to_the_base_since_is_not_the_branchs(tmp_path: Path) -> None:
    """Compared is with where the branch began."""
    folder = repository(tmp_path / "repo", BASE, {**BASE, "new.yaml": job_document("new")})
    git(folder, "checkout", "--quiet", "main")
    commit(folder, {**BASE, "later.yaml": job_document("later")}, "later")
    git(folder, "checkout", "--quiet", "feature")

    assert said(ran("diff", folder / "specs", "--base", "main", "-o", "json")) == {"new": ("create", "Missing")}


def test_what_is_not_committed_counts(tmp_path: Path) -> None:
    """The directory is read as it is, so that a person can look before committing."""
    folder = repository(tmp_path / "repo", BASE, BASE)
    write(folder / "specs", {**BASE, "new.yaml": job_document("new")})

    assert said(ran("diff", folder / "specs", "--base", "HEAD", "-o", "json")) == {"new": ("create", "Missing")}


def test_a_directory_that_was_not_there_held_nothing(tmp_path: Path) -> None:
    """A fleet's first branch."""
    folder = repository(tmp_path / "repo", BASE, BASE)
    write(folder / "other", {"fleet.yaml": fleet_document("g"), "web.yaml": job_document("web")})

    assert said(ran("diff", folder / "other", "--base", "main", "-o", "json")) == {"web": ("create", "Missing")}


def test_the_root_of_a_repository_may_hold_the_specs(tmp_path: Path) -> None:
    """Without a directory between."""
    folder = repository(tmp_path / "repo", BASE, {**BASE, "new.yaml": job_document("new")})

    assert said(ran("diff", folder, "--base", "main", "-o", "json")) == {"new": ("create", "Missing")}


def test_a_shallow_clone_compares_with_the_tip_and_says_so(tmp_path: Path) -> None:
    """As pipelines clone: one commit deep, the base fetched beside it."""
    origin = repository(tmp_path / "repo", BASE, {**BASE, "new.yaml": job_document("new")})
    url = origin.as_uri()
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=feature", url, "clone")
    git(tmp_path / "clone", "fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main")

    found = ran("diff", tmp_path / "clone" / "specs", "--base", "origin/main", "-o", "json")

    assert said(found) == {"new": ("create", "Missing")}
    assert any("too shallow" in note for note in found.json()["notes"])


def test_a_base_that_was_not_fetched_says_what_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of every first pipeline."""
    origin = repository(tmp_path / "repo", BASE, BASE)
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=feature", origin.as_uri(), "clone")

    assert program(monkeypatch, "diff", tmp_path / "clone" / "specs", "--base", "origin/main") == 1
    err = capsys.readouterr().err
    assert "no revision origin/main" in err
    assert "git fetch origin main" in err


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "-x", "", "a b", "main\nHEAD", "nowhere", "main:specs", "HEAD^{tree}"]
)
def test_what_is_no_revision_is_refused(ref: str, tmp_path: Path) -> None:
    """Nothing that git could take for an option, and nothing that is no commit."""
    folder = repository(tmp_path / "repo", BASE, BASE)

    with pytest.raises(UsageError, match="no revision"):
        ran("diff", folder / "specs", f"--base={ref}")


def test_a_local_name_is_answered_with_the_remote_one(tmp_path: Path) -> None:
    """`main` where only `origin/main` is there."""
    origin = repository(tmp_path / "repo", BASE, BASE)
    git(tmp_path, "clone", "--quiet", "--branch=feature", origin.as_uri(), "clone")

    with pytest.raises(UsageError) as error:
        ran("diff", tmp_path / "clone" / "specs", "--base", "main")

    assert error.value.hint == "did you mean origin/main?"


def test_outside_of_a_repository_there_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in words."""
    write(tmp_path / "specs", BASE)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(UsageError, match="not inside a Git work tree"):
        ran("diff", tmp_path / "specs", "--base", "main")


# -- validate ----------------------------------------------------------------------------------------------------------


def test_validate_says_what_nomad_would_refuse(tmp_path: Path) -> None:
    """Not only what Herdsman cannot read: the job as a whole, by Nomad's rules, at the place of its spec."""
    write(tmp_path, {**BASE, "x.yaml": job_document("x", Priority=1000)})

    found = ran("validate", tmp_path, "-o", "json")

    assert found.code == 1
    (error,) = found.json()["errors"]
    assert (error["path"], error["name"]) == ("x.yaml", "x")
    assert "job priority must be between [1, 100]" in error["message"]


def test_validate_knows_where_a_jobspec_is_wrong(tmp_path: Path) -> None:
    """File and line of each of the jobspec's own errors, as fields."""
    write(tmp_path, {**FLEET, "h.yaml": hcl("h", 1).replace("driver =", "drivre =")})

    (error,) = ran("validate", tmp_path, "-o", "json").json()["errors"]

    assert error["path"] == "h.yaml"
    assert error["line"] == (tmp_path / "h.yaml").read_text().splitlines().index('          drivre = "mock_driver"') + 1
    assert error["message"].startswith("Unsupported argument")


def test_validate_in_every_format_agrees(tmp_path: Path) -> None:
    """The exit code does not depend on how it is said."""
    write(tmp_path, {**BASE, "bad.yaml": BROKEN})

    assert {
        f: ran("validate", tmp_path, "-o", f).code for f in ("text", "json", "yaml", "markdown", "junit")
    } == dict.fromkeys(("text", "json", "yaml", "markdown", "junit"), 1)
