"""`lint`: an entry that can be read and still is no good is found out before a user does."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from catalog.making import METADATA, entry, job_text, parse, shipped_ids
from herdsman.adapters.catalog import FromPackage, check, check_folder
from herdsman.cli.main import herdsman
from herdsman.core.catalog import lint
from herdsman.errors import SourceError

P = 'g:\n  p: {name: P, value: ""}\n'
SECRET = 'g:\n  p: {name: P, value: "", secret: true}\n'
READS = """
template {
  destination = "secrets/x.env"
  env         = true
  data        = "X={{ with nomadVar \\"${var.secrets_path}\\" }}{{ .p | toJSON }}{{ end }}"
}
"""
READS_IF_GIVEN = """
dynamic "template" {
  for_each = contains(var.secrets_given, "p") ? [var.secrets_path] : []

  content {
    destination = "secrets/x.env"
    env         = true
    data        = "X={{ with nomadVar \\"${template.value}\\" }}{{ .p | toJSON }}{{ end }}"
  }
}
"""


def without_use(text: str, name: str) -> str:
    """A jobspec that declares a variable and does not use it."""
    return text.replace(f"{name} = var.{name}\n", "")


def in_config(text: str) -> str:
    """A jobspec with one more line in its task's config."""
    return job_text("p").replace('image = "busybox"', f'image = "busybox"\n{text}')


GOOD: list[tuple[str, str]] = [
    (P, job_text("p")),
    (P.replace('""', "1"), job_text("p: number")),
    (P.replace('""', "true"), job_text("p: bool")),
    (P.replace('""', "[], items: {type: string}"), job_text("p: any").replace("p = var.p", 'p = join(",", var.p)')),
    (P.replace('""', '"", display: true'), job_text()),
    (P, job_text("p", "owner", "namespace", "labelled_nodes: bool")),
    (
        SECRET,
        without_use(
            without_use(job_text("secrets_path", "secrets_given: list(string)", task=READS_IF_GIVEN), "secrets_path"),
            "secrets_given",
        ),
    ),
    (
        SECRET.replace("secret: true", "secret: true, required: true"),
        without_use(job_text("secrets_path", task=READS), "secrets_path"),
    ),
    (
        SECRET.replace("secret: true", "secret: true, generate: 20"),
        without_use(job_text("secrets_path", task=READS), "secrets_path"),
    ),
    (P, in_config('args = ["--title", var.p]')),
    (P, in_config('command = "/bin/sh"\nargs = ["run.sh", var.p]')),
    (
        P.replace('""', '"", pattern: "[a-z]+", example: abc'),
        in_config('command = "/bin/sh"\nargs = ["-c", "run ${var.p}"]'),
    ),
]


@pytest.mark.parametrize(("user", "job"), GOOD)
def test_a_good_entry_has_nothing_wrong(user: str, job: str) -> None:
    """What is right is left alone."""
    found = lint(entry(user, job), user.encode(), parse)

    assert [str(rejection) for rejection in (*found.errors, *found.warnings)] == []


BAD: list[tuple[str, str, str]] = [
    (P, job_text(), 'user.yaml:2:3: g.p: no variable of the jobspec takes it (declare variable "p" in nomad.hcl'),
    (P, without_use(job_text("p"), "p"), "nomad.hcl:5: the variable p is declared and not used (remove it)"),
    (P, job_text("p", "q"), "nomad.hcl:8: nothing sets the variable q, and it has no default"),
    (P, job_text("p", "ownr"), 'the variable ownr, and it has no default (did you mean "owner"?)'),
    (P, job_text("p").replace("p = var.p", "p = var.pp"), 'var.pp is not declared (did you mean "p"?)'),
    (P, job_text("p: number"), "nomad.hcl:5: the variable p has the type number, but is given a string"),
    (P, job_text("p", "priority: string"), "the variable priority has the type string, but is given a number"),
    (P, job_text("p").replace("p = var.p", "p = uuidv4()\nq = var.p"), "uuidv4() gives another result each time"),
    (P, job_text("p").replace("p = var.p", "p = var.p\nt = bcrypt(1, 4)"), "bcrypt() gives another result each time"),
    (SECRET, job_text(), "user.yaml:2:3: g.p: no template reads this secret"),
    (SECRET, job_text("p"), "nomad.hcl:5: the secret p would stand in the job"),
    (
        SECRET,
        without_use(job_text("secrets_path", task=READS), "secrets_path"),
        "g.p: with the defaults a template reads it, and it has no value (make the template only where contains(",
    ),
    (P.replace('""', '"", display: true'), job_text("p"), "nomad.hcl:5: g.p is for display and is never set"),
    (
        P.replace('""', '"", required: true, pattern: "[0-9]{7}"'),
        job_text("p"),
        "g.p: a required parameter with a pattern (add an example",
    ),
    (P, job_text("p").replace("id   = var.deployment_id", 'id = "fixed"'), "the job is not called by its deployment"),
    (P, job_text("p").replace("name = var.deployment_id", 'name = "x"'), "the job's name is not its deployment's"),
    (
        P,
        job_text("p").replace("name = var.deployment_id", 'name = var.deployment_id\nnamespace = "other"'),
        "the job is not in its deployment's namespace (write namespace = var.namespace)",
    ),
    (
        "g:\n  p: {name: P, value: 1, range: [0, 5]}\n",
        job_text("p: number").replace("p = var.p", "p = 10 / var.p"),
        "nomad.hcl:18:5: with g.p: 0: Operation failed",
    ),
    (
        "g:\n  p: {name: P, value: a, options: [a, b]}\n",
        job_text("p").replace("p = var.p", 'p = { a = "1" }[var.p]'),
        "nomad.hcl:18:16: with everything: Invalid index",
    ),
    (
        "g:\n  p: {name: P, value: a, options: [a, b]}\n",
        job_text("p").replace("p = var.p", "p = lookup({}, var.p)").replace("task", "tsk"),
        "nomad.hcl:",
    ),
    (
        P,
        job_text("p", task='template {\n  destination = "x"\n  data = "hello ${var.p}"\n}'),
        "the text of p ends up in a template, where {{ would be read",
    ),
    (P, in_config('command = "/bin/sh"\nargs = ["-c", "run ${var.p}"]'), "p ends up in the command line of a shell"),
    (P, in_config('command = "bash"\nargs = ["-ec", "run ${var.p}"]'), "p ends up in the command line of a shell"),
    (
        P,
        in_config('command = "python3.11"\nargs = ["-c", "print(${var.p})"]'),
        "p ends up in the command line of a shell",
    ),
    (P, in_config("command = var.p"), "p ends up in command, which decides what runs or what it may touch"),
    (P, in_config('volumes = ["/data/${var.p}:/data"]'), "p ends up in volumes, which decides what runs"),
    (P, job_text("p").replace("p = var.p", 'p = "${"$"}${var.p}"'), "p ends up in a text where it could become ${"),
    (P, job_text("p").replace("p = var.p", 'p = "${var.p}${var.p}"'), "p ends up in a text where it could become ${"),
    (P, job_text("p").replace("env {\np = var.p\n}", 'env = { (var.p) = "x" }'), "the text of p ends up in a name"),
    (P, job_text("p").replace("env {\np = var.p\n}", "user = var.p"), "the text of p ends up in a name"),
    (
        P,
        job_text("p", "owner", task='template {\n  destination = "x"\n  data = "for ${var.owner}"\n}'),
        "the text of owner ends up in a template",
    ),
]


@pytest.mark.parametrize(("user", "job", "expected"), BAD)
def test_what_is_wrong_is_told(user: str, job: str, expected: str) -> None:
    """File, line, what is wrong and what to do; whether it shows in the texts or only when the entry is tried out."""
    files = {"metadata.yaml": METADATA.encode(), "user.yaml": user.encode(), "nomad.hcl": job.encode()}
    found = check("modules", "x", files, folder="catalog/modules/x")

    lines = [str(rejection) for rejection in found.errors]
    assert any(expected in line for line in lines), lines
    assert all(line.startswith("catalog/modules/x/") for line in lines)


def test_what_is_only_untidy_is_a_warning() -> None:
    """A variable that nothing sets and that has a default is harmless."""
    job = job_text("p", "q").replace('variable "q" {\n', 'variable "q" {\n  default = "x"\n')
    found = lint(entry(P, job), P.encode(), parse)

    assert found.errors == ()
    assert [str(warning) for warning in found.warnings] == [
        "catalog/modules/x/nomad.hcl:8: nothing sets the variable q (make it one of locals)"
    ]


def test_the_same_mistake_is_told_once() -> None:
    """A mistake that shows with every value is one mistake."""
    user = "g:\n  p: {name: P, value: a, options: [a, b, c, d]}\n"
    found = lint(entry(user, job_text("p").replace("p = var.p", "p = nothing.at_all + var.p")), user.encode(), parse)

    assert len(found.errors) == 1


# -- the command -------------------------------------------------------------------------------------------------------


def call(*words: str) -> Result:
    """Run the command, as from a shell but in this process."""
    return CliRunner().invoke(herdsman, ["catalog", "lint", *words], prog_name="herdsman", standalone_mode=True)


def write(folder: Path, user: str = P, job: str = "") -> Path:
    """An entry in a folder."""
    folder.mkdir(parents=True)
    (folder / "metadata.yaml").write_text(METADATA)
    (folder / "user.yaml").write_text(user)
    (folder / "nomad.hcl").write_text(job or job_text("p"))
    return folder


def test_the_shipped_catalog_has_nothing_wrong() -> None:
    """What Herdsman brings along passes its own check."""
    files = FromPackage().files()
    for entry_id in shipped_ids():
        section, _, name = entry_id.partition("/")
        own = {file: files[f"{entry_id}/{file}"] for file in ("metadata.yaml", "user.yaml", "nomad.hcl")}
        found = check(section, name, own, folder=entry_id)
        assert (found.errors, found.warnings) == ((), ())


def test_a_catalog_is_checked(tmp_path: Path) -> None:
    """All entries of a catalog are looked at: exit code 1 where one is broken, each error on a line with its file."""
    write(tmp_path / "modules" / "good")
    write(tmp_path / "tools" / "bad", job=job_text("p", "q"))
    write(tmp_path / "tools" / "worse", user="g: 1\n")
    result = call(str(tmp_path))

    assert result.exit_code == 1
    assert f"{tmp_path}/tools/bad/nomad.hcl:8: nothing sets the variable q" in result.output
    assert f"{tmp_path}/tools/worse/user.yaml:1:4: g: expected a mapping" in result.output
    assert result.output.splitlines()[-1] == "3 entries, 2 errors, 0 warnings"


def test_one_entry_is_checked(tmp_path: Path) -> None:
    """A folder with an entry's files is an entry; where all is fine the exit code is 0."""
    folder = write(tmp_path / "tools" / "mine")
    result = call(str(folder))

    assert (result.exit_code, result.output) == (0, "1 entries, 0 errors, 0 warnings\n")
    assert check_folder(folder).entries == ("tools/mine",)
    assert check_folder(write(tmp_path / "elsewhere")).entries == ("modules/elsewhere",)


def test_json_is_for_machines(tmp_path: Path) -> None:
    """Each error has its file, line, column, field, message and hint."""
    write(tmp_path / "modules" / "bad", user="g:\n  p: {name: P, value: 1, rang: 2}\n")
    result = call(str(tmp_path), "-o", "json")

    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "catalog": str(tmp_path),
        "entries": ["modules/bad"],
        "errors": [
            {
                "file": f"{tmp_path}/modules/bad/user.yaml",
                "line": 2,
                "column": 26,
                "field": "g.p.rang",
                "message": "unknown field",
                "hint": 'did you mean "range"?',
            }
        ],
        "warnings": [],
    }


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is neither a catalog nor an entry is said to be none, with what either looks like."""
    with pytest.raises(SourceError, match="neither a catalog nor an entry") as refused:
        check_folder(tmp_path)
    assert "modules or tools" in refused.value.hint
