"""Whole files: which documents they declare, what is rejected, and the exact words that a person reads."""

import pytest

from herdsman.core.parse import ParsedFile, parse_file, parse_job_body
from herdsman.core.problems import MOST_FAULTS
from herdsman.model.desired import Position
from herdsman.model.documents import JobDocument
from herdsman.model.keys import Key, job_key, namespace_key

HEAD = "apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: web}\n"


def parsed(text: str, path: str = "a.yaml") -> ParsedFile:
    return parse_file(path, text.encode())


def told(text: str, path: str = "a.yaml") -> list[str]:
    return [str(r) for r in parsed(text, path).rejections]


def keys(text: str) -> set[Key | None]:
    return {r.key for r in parsed(text).rejections}


CHOICES = "Fleet, Job, Namespace, Deployment or Variable"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", "a.yaml:1:1: expected a mapping with apiVersion, kind, metadata and spec, got a list"),
        ("hello", 'a.yaml:1:1: expected a mapping with apiVersion, kind, metadata and spec, got "hello"'),
        (
            "kind: Job",
            "a.yaml:1:1: apiVersion: missing (write apiVersion: herdsman/v1, or list the file in .herdsmanignore)",
        ),
        ("apiVersion: v1\nkind: Job", 'a.yaml:1:13: apiVersion: expected herdsman/v1, got "v1"'),
        ("apiVersion: herdsman/v1", f"a.yaml:1:1: kind: missing (one of {CHOICES})"),
        (
            "apiVersion: herdsman/v1\nkind: Widget",
            f'a.yaml:2:7: kind: expected {CHOICES}, got "Widget"',
        ),
        (
            "apiVersion: herdsman/v1\nkind: job",
            f'a.yaml:2:7: kind: expected {CHOICES}, got "job" (did you mean "Job"?)',
        ),
        ("apiVersion: herdsman/v1\nkind: [Job]", f"a.yaml:2:7: kind: expected {CHOICES}, got a list"),
    ],
)
def test_without_a_version_and_a_kind_nothing_else_is_judged(text: str, expected: str) -> None:
    """A document that does not say what it is gets one error, about that."""
    assert told(text) == [expected]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("spec: {hcl: x, varables: {}}", '4:16: spec.varables: unknown field (did you mean "variables"?)'),
        (
            "spec: {hcl: x, zzz: {}}",
            "4:16: spec.zzz: unknown field (known here: hcl, file, job, variables, policy)",
        ),
        (
            "spec: {}",
            "4:7: spec: expected exactly one of hcl, file and job, found none"
            " (hcl: an inline jobspec, file: one beside this file, job: the API's form as YAML)",
        ),
        (
            "spec: {hcl: x, file: y.hcl}",
            "4:7: spec: expected exactly one of hcl, file and job, found hcl and file"
            " (hcl: an inline jobspec, file: one beside this file, job: the API's form as YAML)",
        ),
        ("spec: [x]", "4:7: spec: expected a mapping, got a list"),
        ("spec:", "4:6: spec: expected a mapping, got nothing"),
        ("extra: 1\nspec: {hcl: x}", "4:1: extra: unknown field (known here: apiVersion, kind, metadata, spec)"),
        ('spec: {hcl: ""}', "4:13: spec.hcl: may not be empty"),
        ("spec: {hcl: 5}", "4:13: spec.hcl: expected text, got a number (put it in quotes)"),
        ("spec:\n  hcl: >\n    x", "5:8: spec.hcl: a text after > loses its line ends (write hcl: | instead)"),
        ("spec: {job: [1]}", "4:13: spec.job: expected a mapping, got a list"),
        ("spec: {job: text}", '4:13: spec.job: expected a mapping, got "text"'),
        (
            "spec: {file: /etc/x.hcl}",
            '4:14: spec.file: expected the path of a file below this one\'s folder, got "/etc/x.hcl"'
            " (without a leading /, without . and .. and with / between its parts)",
        ),
        (
            "spec: {file: a/../../x.hcl}",
            '4:14: spec.file: expected the path of a file below this one\'s folder, got "a/../../x.hcl"'
            " (without a leading /, without . and .. and with / between its parts)",
        ),
        (
            "spec: {file: 'a\\x.hcl'}",
            '4:14: spec.file: expected the path of a file below this one\'s folder, got "a\\x.hcl"'
            " (without a leading /, without . and .. and with / between its parts)",
        ),
        (
            "spec: {file: x.txt}",
            '4:14: spec.file: expected a file whose name ends in .hcl, .nomad, .json, got "x.txt"',
        ),
        (
            "spec: {file: x.json, variables: {a: 1}}",
            "4:7: spec: variables feed HCL2 jobspecs; a job in the API's form has none (remove variables)",
        ),
        (
            "spec: {hcl: x, variables: {1a: 1}}",
            "4:28: spec.variables[1a]: not a name for an HCL2 variable, got a text"
            " (allowed are letters, digits, _ and -, not beginning with a digit)",
        ),
        ("spec: {hcl: x, variables: [1]}", "4:27: spec.variables: expected a mapping, got a list"),
        (
            "spec: {hcl: x, policy: {drift: enforced}}",
            '4:32: spec.policy.drift: expected enforce, warn or off, got "enforced"',
        ),
        ("spec: {hcl: x, policy: {prune: 7}}", "4:32: spec.policy.prune: expected purge, stop or keep, got 7"),
        ("spec: {hcl: x, policy: {suspend: 'yes'}}", '4:34: spec.policy.suspend: expected true or false, got "yes"'),
        (
            "spec: {hcl: x, policy: {healthTimeout: 5 min}}",
            '4:40: spec.policy.healthTimeout: expected a duration like 30s, 5m or 1h30m, got "5 min"'
            " (a number alone means seconds)",
        ),
        (
            "spec: {hcl: x, policy: {retryInterval: 0}}",
            "4:40: spec.policy.retryInterval: expected a time that is longer than zero and at most ten years, got 0",
        ),
        ("spec: {hcl: x, policy: {ignore: Meta}}", '4:33: spec.policy.ignore: expected a list, got "Meta"'),
        (
            "spec: {hcl: x, policy: {ignore: [Meta, 'TaskGroups[']}}",
            "4:40: spec.policy.ignore[1]: not a path into a job: the bracket at character 11 is not closed,"
            ' got "TaskGroups["'
            " (for example Meta.owner, TaskGroups[web].Count, TaskGroups[*].Tasks[main].Resources.MemoryMB)",
        ),
        ("spec: {hcl: x, policy: {dependsOn: [web]}}", "4:36: spec.policy.dependsOn: a job cannot wait for itself"),
        (
            "spec: {hcl: x, policy: {dependsOn: [5]}}",
            "4:37: spec.policy.dependsOn[0]: expected the name of a job, or a mapping with kind, name and namespace,"
            " got 5",
        ),
        (
            "spec: {hcl: x, policy: {dependsOn: [{name: a b}]}}",
            "4:44: spec.policy.dependsOn[0].name: a job's name may hold no spaces: Nomad refuses them",
        ),
        (
            "spec: {hcl: x, policy: {dependsOn: [{kind: Namespace, name: a, namespace: b}]}}",
            "4:75: spec.policy.dependsOn[0].namespace: a Namespace lives in no namespace (remove the field)",
        ),
    ],
)
def test_errors_of_a_job_are_told_with_place_field_and_advice(body: str, expected: str) -> None:
    """One mistake, one line: file, line, column, field, what was expected and found, what to do."""
    assert told(HEAD + body) == [f"a.yaml:{expected}"]
    assert keys(HEAD + body) == {job_key("default", "web")}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("{name: 5}", "3:18: metadata.name: expected text, got 5 (put it in quotes)"),
        ("{name: true}", "3:18: metadata.name: expected text, got true (put it in quotes)"),
        ("{name: }", '3:18: metadata.name: expected text, got nothing (write "" for an empty text)'),
        (
            "{}",
            "3:11: metadata.name: missing (The job's ID in Nomad)",
        ),
        ("{name: a b}", '3:18: metadata.name: a job\'s name may hold no spaces: Nomad refuses them, got "a b"'),
        (
            "{name: a, namespace: b/c}",
            '3:32: metadata.namespace: not a name for a Nomad namespace, got "b/c"'
            " (allowed are letters, digits and -, at most 128)",
        ),
        ("{name: a, labels: {n: 1}}", "3:33: metadata.labels.n: expected text, got 1 (put it in quotes)"),
        (
            "{name: a, annotations: {n: 1}}",
            "3:38: metadata.annotations.n: expected text, got a number (put it in quotes)",
        ),
        ("{name: a, namespce: b}", '3:21: metadata.namespce: unknown field (did you mean "namespace"?)'),
        ("a", '3:11: metadata: expected a mapping, got "a"'),
    ],
)
def test_errors_of_metadata_are_told(metadata: str, expected: str) -> None:
    """Names that YAML takes for something else, and names that Nomad does not allow."""
    assert told(f"apiVersion: herdsman/v1\nkind: Job\nmetadata: {metadata}\nspec: {{hcl: x}}") == [f"a.yaml:{expected}"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "metadata: {name: a/b}",
            '3:18: metadata.name: not a name for a fleet, got "a/b" (allowed are letters, digits, - and _, at most 64)',
        ),
        ("metadata: {name: a, namespace: b}", "3:21: metadata.namespace: a Fleet lives in no namespace (remove it)"),
        (
            "metadata: {name: a}\nspec: {prune: {maxPercent: 101}}",
            "4:28: spec.prune.maxPercent: expected at most 100, got 101",
        ),
        (
            "metadata: {name: a}\nspec: {prune: {maxCount: -1}}",
            "4:26: spec.prune.maxCount: expected at least 0, got -1",
        ),
        (
            "metadata: {name: a}\nspec: {namespaces: []}",
            "4:20: spec.namespaces: may not be empty (leave it out for all namespaces)",
        ),
        (
            "metadata: {name: a}\nspec: {namespaces: ['a/*']}",
            '4:21: spec.namespaces[0]: not a name for namespaces, got "a/*"'
            " (allowed are letters, digits and -, * for any text and ? for one character)",
        ),
        (
            "metadata: {name: a}\nspec: {policy: {dependsOn: [b]}}",
            "4:17: spec.policy.dependsOn: unknown field (known here: drift, ignore, count, stopped, prune, adopt,"
            " destructive, rerun, suspend, healthTimeout, retryInterval)",
        ),
        (
            "metadata: {name: a}\nspec: {windows: [{schedule: 61 * * * *, duration: 1h}]}",
            '4:29: spec.windows[0].schedule: not a cron schedule: bad minute, got "61 * * * *" (like 0 22 * * MON-FRI)',
        ),
        (
            "metadata: {name: a}\nspec: {windows: [{schedule: '0 0 30 2 *', duration: 1h}]}",
            '4:29: spec.windows[0].schedule: not a cron schedule: bad day-of-month, got "0 0 30 2 *"'
            " (like 0 22 * * MON-FRI)",
        ),
        (
            "metadata: {name: a}\nspec: {windows: [{schedule: '@daily', duration: 1h}]}",
            "4:29: spec.windows[0].schedule: expected five fields: minute, hour, day of month, month, day of week,"
            ' got "@daily" (like 0 22 * * MON-FRI)',
        ),
        (
            "metadata: {name: a}\nspec: {windows: [{schedule: 0 0 * * *}]}",
            "4:18: spec.windows[0].duration: missing (How long it stays open)",
        ),
        (
            "metadata: {name: a}\nspec: {windows: [{schedule: 0 0 * * *, duration: 1h, timeZone: europe/berlin}]}",
            '4:64: spec.windows[0].timeZone: not a known time zone, got "europe/berlin"'
            ' (did you mean "Europe/Berlin"?)',
        ),
        (
            "metadata: {name: a}\nspec: {windows: [{schedule: 0 0 * * *, duration: 1h, timeZone: ../../etc/passwd}]}",
            '4:64: spec.windows[0].timeZone: not a known time zone, got "../../etc/passwd"'
            " (names are like Europe/Berlin or UTC)",
        ),
    ],
)
def test_errors_of_a_fleet_are_told(body: str, expected: str) -> None:
    """Limits, schedules, time zones and patterns are judged where they are written; a fleet has no key."""
    text = f"apiVersion: herdsman/v1\nkind: Fleet\n{body}"
    assert told(text) == [f"a.yaml:{expected}"]
    assert keys(text) == {None}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "metadata: {name: a, namespace: b}",
            "3:21: metadata.namespace: a Namespace lives in no namespace (remove it)",
        ),
        (
            "metadata: {name: a}\nspec: {policy: {prune: stop}}",
            '4:24: spec.policy.prune: expected purge or keep, got "stop"',
        ),
        (
            "metadata: {name: a}\nspec: {policy: {drift: warn}}",
            "4:17: spec.policy.drift: unknown field (known here: prune, adopt, suspend, dependsOn)",
        ),
        (
            "metadata: {name: a}\nspec: {meta: {a: 1}}",
            "4:18: spec.meta.a: expected text, got a number (put it in quotes)",
        ),
        (
            f"metadata: {{name: a}}\nspec: {{description: {'x' * 257}}}",
            "4:21: spec.description: longer than 256 characters",
        ),
    ],
)
def test_errors_of_a_namespace_are_told(body: str, expected: str) -> None:
    """A namespace has fewer fields than a job, and a key without a namespace."""
    text = f"apiVersion: herdsman/v1\nkind: Namespace\n{body}"
    assert told(text) == [f"a.yaml:{expected}"]
    assert keys(text) == {namespace_key("a")}


JOB = """\
apiVersion: herdsman/v1
kind: Job
metadata:
  name: web
spec:
  job:
    Prioritty: 50
    TaskGroups:
      - Name: front
        Count: "3"
        Tasks:
          - Name: main
            Driver: docker
            Env: {TOKEN: 12345678}
            Templates:
              - Perms: 0644
          - Driver: docker
        Networks:
          - DynamicPorts:
              - Label: http
                To: http
"""


def test_all_errors_of_a_job_body_are_told_in_the_order_of_the_file() -> None:
    """Elements are called by their names, secrets are not repeated, nothing is left out."""
    assert told(JOB, "apps/web.yaml") == [
        'apps/web.yaml:7:5: spec.job.Prioritty: unknown field (did you mean "Priority"?)',
        'apps/web.yaml:10:16: spec.job.TaskGroups[front].Count: expected a whole number, got "3"',
        "apps/web.yaml:14:26: spec.job.TaskGroups[front].Tasks[main].Env.TOKEN: expected text, got a number"
        " (put it in quotes)",
        "apps/web.yaml:16:24: spec.job.TaskGroups[front].Tasks[main].Templates[0].Perms: expected text, got 644"
        " (put it in quotes)",
        "apps/web.yaml:17:13: spec.job.TaskGroups[front].Tasks[1].Name: missing (its name within the group)",
        "apps/web.yaml:21:21: spec.job.TaskGroups[front].Networks[0].DynamicPorts[http].To: expected a whole number,"
        ' got "http"',
    ]


def test_errors_beside_a_job_body_are_told_together_with_those_in_it() -> None:
    """A document is judged whole."""
    text = HEAD + "spec: {job: {Priority: x}, policy: {drift: x}, foo: 1}"
    assert [line.split(": ")[1] for line in told(text)] == [
        "spec.job.TaskGroups",
        "spec.job.Priority",
        "spec.policy.drift",
        "spec.foo",
    ]


@pytest.mark.parametrize(
    ("spec", "secret"),
    [
        ("job: {TaskGroups: [{Name: g, Tasks: [{Name: t, Driver: d, Env: hunter2}]}]}", "hunter2"),
        ("job: {Meta: hunter2}", "hunter2"),
        ("job: {TaskGroups: [{Name: g, Tasks: [{Name: t, Driver: d, Config: hunter2}]}]}", "hunter2"),
        ("hcl: x, variables: hunter2", "hunter2"),
        ("hcl: x, policy: {drift: ghp_abcdefghijklmnop}", "ghp_abcdefghijklmnop"),
        ("hcl: x, policy: {drift: 'https://me:hunter2@host'}", "hunter2"),
    ],
)
def test_what_may_be_secret_is_not_repeated(spec: str, secret: str) -> None:
    """Neither values of free fields nor what looks like a credential stand in a message."""
    lines = told(HEAD + f"spec: {{{spec}}}")
    assert lines
    assert not any(secret in line for line in lines)


def test_long_and_hostile_words_are_shortened_and_escaped() -> None:
    """No message is longer than a reader's patience, and none moves a terminal's cursor."""
    [line] = told(HEAD + 'spec: {hcl: x, policy: {drift: "\\e[31m' + "so long " * 100 + '"}}')
    assert "\x1b" not in line
    assert r'got "\x1b[31mso long so' in line
    assert len(line) < 200
    [line] = told(HEAD + f'spec: {{hcl: x, "{"k" * 500}\\e": 1}}')
    assert len(line) < 300


def test_each_document_stands_alone() -> None:
    """Errors of one document leave its neighbours in use; each rejection carries the key of its own document."""
    text = "\n---\n".join(
        [
            "# one\n" + HEAD + "spec: {hcl: x}",
            "apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: b, namespace: n}\nspec: {}",
            "",
            "apiVersion: herdsman/v1\nkind: Namespace\nmetadata: {name: n}",
            "apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: [c]}\nspec: {}",
        ]
    )
    file = parsed(text)
    assert [(d.index, str(d.position), d.kind, d.key) for d in file.documents] == [
        (0, "a.yaml:2:1", "Job", job_key("default", "web")),
        (3, "a.yaml:14:1", "Namespace", namespace_key("n")),
    ]
    assert [(r.position.line, r.key) for r in file.rejections] == [(10, job_key("n", "b")), (20, None), (21, None)]


def test_a_syntax_error_rejects_the_whole_file() -> None:
    """What stands before the break is not used either: nobody knows what the rest says."""
    file = parsed(HEAD + "spec: {hcl: x}\n---\na: [1\nb: 2\n")
    assert file.documents == ()
    [rejection] = file.rejections
    assert rejection.position == Position("a.yaml", 7, 2)
    assert rejection.message.startswith("not YAML: ")
    assert rejection.key is None


def test_a_file_that_is_too_large_is_rejected_without_a_line() -> None:
    """The whole file is meant."""
    [line] = told("#" * 300_000)
    assert line.startswith("a.yaml: the file has 300,000 bytes")


@pytest.mark.parametrize("text", ["", "# nothing here\n", "---\n---\n"])
def test_an_empty_file_declares_nothing(text: str) -> None:
    """No documents and no errors."""
    assert parsed(text) == ParsedFile("a.yaml")


def test_many_errors_are_cut_short_but_every_document_keeps_its_key() -> None:
    """A document tells at most a hundred errors, and none is dropped: its job must stay frozen."""
    many = "".join(f"  x{n}: 1\n" for n in range(MOST_FAULTS + 50))
    one = f"apiVersion: herdsman/v1\nkind: Job\nmetadata: {{name: NAME}}\nspec:\n{many}"
    file = parsed("---\n".join(one.replace("NAME", f"j{n}") for n in range(10)))
    assert len(file.rejections) == 10 * MOST_FAULTS
    assert {r.key for r in file.rejections} == {job_key("default", f"j{n}") for n in range(10)}


@pytest.mark.parametrize(
    ("spec", "offset"),
    [
        ("spec:\n  hcl: |\n    job x {}\n", 5),
        ("spec:\n  variables: {a: 1}\n  hcl: |2-\n      job x {}\n", 6),
        ('spec: {hcl: "job x {}"}', 3),
        ("spec:\n  hcl:\n    job x {}\n", 5),
        ("spec: {file: x.hcl}", 0),
    ],
)
def test_the_line_before_inline_hcl_is_known(spec: str, offset: int) -> None:
    """A place in the jobspec plus the offset is a place in the file."""
    [document] = parsed(HEAD + spec).documents
    assert document.hcl_offset == offset
    if offset:
        assert "job x" in (HEAD + spec).splitlines()[offset]


def test_a_job_body_is_kept_as_canonical_json() -> None:
    """Two ways to write a job come to the same bytes, with the identity filled in."""
    spec = "spec: {job: {TaskGroups: [{Name: g, Count: 2, ShutdownDelay: 1m}], Type: batch}}"
    again = "spec: {job: {ID: web, Type: batch, TaskGroups: [{ShutdownDelay: 60000000000, Count: 2, Name: g}]}}"
    one, two = (parsed(HEAD + text).documents[0].model for text in (spec, again))
    assert isinstance(one, JobDocument)
    assert one == two
    assert one.spec.job == (
        b'{"ID":"web","Name":"web","Namespace":"default",'
        b'"TaskGroups":[{"Count":2,"Name":"g","ShutdownDelay":60000000000}],"Type":"batch"}'
    )


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_a_spec_may_be_json() -> None:
    """The same document as JSON."""
    file = parsed(
        '{"apiVersion": "herdsman/v1", "kind": "Job", "metadata": {"name": "web"}, "spec": {"hcl": "x"}}', "a.json"
    )
    assert [d.key for d in file.documents] == [job_key("default", "web")]
    assert not file.bare


@pytest.mark.parametrize(
    ("path", "text", "bare"),
    [
        ("a.json", '{"Job": {}}', True),
        ("a.json", "[1]", True),
        ("a.json", '{"apiVersion": "v1"}', False),
        ("a.json", '{"a"', False),
        ("a.yaml", "Job: {}", False),
    ],
)
def test_json_without_a_version_may_be_a_job_body(path: str, text: str, bare: bool) -> None:
    """Only JSON that could be read and claims to be no spec is left for a Job to name; alone it is an error."""
    file = parsed(text, path)
    assert file.bare is bare
    assert file.rejections


BODY = '{"TaskGroups": [{"Name": "g"}]}'


@pytest.mark.parametrize("text", [BODY, f'{{"Job": {BODY}}}'])
def test_a_job_file_in_json_is_a_body(text: str) -> None:
    """The job itself, or as `nomad job run -output` wraps it."""
    assert parse_job_body("a.json", text.encode(), key=job_key("n", "web")) == (
        b'{"ID":"web","Name":"web","Namespace":"n","TaskGroups":[{"Name":"g"}]}'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.json: expected a job in the form of Nomad's API, as JSON"),
        ("[]", "a.json: expected a job in the form of Nomad's API, as JSON"),
        ('{"a"', "a.json:1:5: not JSON: the file ends too early; expected a colon"),
        (
            '{"Job": {"TaskGroups": [{"Name": "g", "Count": "x"}]}}',
            'a.json:1:48: Job.TaskGroups[g].Count: expected a whole number, got "x"',
        ),
        (
            '{"TaskGroups": [], "ID": "other"}',
            'a.json:1:26: ID: "other" is not what metadata.name says, "web" (remove it: it comes from metadata.name)',
        ),
    ],
)
def test_errors_in_a_job_file_stand_in_that_file(text: str, expected: str) -> None:
    """The place is the JSON file's, the key is the job's that names it."""
    found = parse_job_body("a.json", text.encode(), key=job_key("n", "web"))
    assert isinstance(found, tuple)
    assert [str(r) for r in found] == [expected]
    assert {r.key for r in found} == {job_key("n", "web")}
