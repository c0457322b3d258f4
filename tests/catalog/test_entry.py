"""The three files of an entry: what is understood, and how a mistake is told to its author."""

from dataclasses import replace

import pytest

from catalog.making import METADATA, entry, job_text, read
from herdsman.adapters.catalog import outline
from herdsman.core.catalog import find, parse_entry
from herdsman.core.problems import Fault
from herdsman.model.catalog import (
    Catalog,
    Condition,
    Entry,
    Kind,
    Mistake,
    Outline,
    Parameter,
    Range,
    Resource,
    Rule,
    Use,
    Variable,
)
from herdsman.model.desired import Position, Rejection

FOLDER = "catalog/modules/x"


def parameter(text: str) -> Parameter:
    """The one parameter `g.p` whose keys are *text*, in one line."""
    return entry(f"g:\n  p: {text}\n").groups["g"]["p"]


# -- parameters --------------------------------------------------------------------------------------------------------

RULES: list[tuple[str, Rule, object]] = [
    ("{name: P, value: ''}", Rule(Kind.STRING, max_length=256), ""),
    ("{name: P, value: '', multiline: true}", Rule(Kind.STRING, max_length=4096, multiline=True), ""),
    ("{name: P, value: a, options: [a, b]}", Rule(Kind.STRING, options=("a", "b"), max_length=256), "a"),
    ("{name: P, value: 1}", Rule(Kind.INT, max_length=256), 1),
    ("{name: P, value: 1, range: [1, 10]}", Rule(Kind.INT, range=Range(1, 10), max_length=256), 1),
    ("{name: P, value: 1, range: [1, null]}", Rule(Kind.INT, range=Range(1), max_length=256), 1),
    ("{name: P, value: 1, range: [0.5, 2]}", Rule(Kind.NUMBER, range=Range(0.5, 2), max_length=256), 1),
    ("{name: P, value: 1, type: number}", Rule(Kind.NUMBER, max_length=256), 1),
    ("{name: P, value: 0.5}", Rule(Kind.NUMBER, max_length=256), 0.5),
    ("{name: P, value: false}", Rule(Kind.BOOL, max_length=256), False),
    ("{name: P, value: false, options: [false, true]}", Rule(Kind.BOOL, options=(False, True), max_length=256), False),
    (
        "{name: P, value: [], items: {type: int}}",
        Rule(Kind.LIST, max_length=32, items=Rule(Kind.INT, max_length=256)),
        [],
    ),
    (
        "{name: P, value: '', pattern: '[a-z]+', example: abc, min_length: 2, max_length: 5}",
        Rule(Kind.STRING, pattern="[a-z]+", example="abc", min_length=2, max_length=5),
        "",
    ),
]


@pytest.mark.parametrize(("text", "rule", "default"), RULES)
def test_the_type_is_that_of_the_default(text: str, rule: Rule, default: object) -> None:
    """A parameter of user.yaml says its type by its default, unless it says it itself."""
    found = parameter(text)

    assert (found.rule, found.default, found.name) == (rule, default, "P")


def test_all_that_may_be_said_of_a_parameter() -> None:
    """Each key has its place."""
    found = entry(
        """
        general:
          service:
            name: Service
            value: api
            options: [api, ide]
          password:
            name: Password
            value: ""
            description: Of the IDE.
            secret: true
            required: true
            min_length: 9
            generate: 20
            advanced: true
            depends: {general.service: ide}
        hardware:
          ram: {name: RAM, value: 64, range: [32, 128], resource: memory}
          note: {name: Note, value: "", display: true}
          job: {name: Job, value: "", batch: true, multiline: true}
        """
    )

    assert [p.path for p in found.parameters] == [
        "general.service",
        "general.password",
        "hardware.ram",
        "hardware.note",
        "hardware.job",
    ]
    password = found.groups["general"]["password"]
    assert (password.secret, password.required, password.generate, password.advanced) == (True, True, 20, True)
    assert password.depends == (Condition("general", "service", ("ide",)),)
    assert found.groups["hardware"]["ram"].resource is Resource.MEMORY
    assert found.groups["hardware"]["note"].display
    assert [p.key for p in found.secrets] == ["password"]
    assert found.script is found.groups["hardware"]["job"]
    assert not any(found.is_batch(values) for values in ({}, {"hardware": None}, {"hardware": {"job": ""}}))
    assert found.is_batch({"hardware": {"job": "true"}})


WRONG: list[tuple[str, str]] = [
    ("g:\n  p: {value: 1}", "2:6: g.p.name: missing (What people call it)"),
    ("g:\n  p: {name: P}", "2:6: g.p.value: missing (The default, which also says the type)"),
    ("g:\n  p: {name: P, value: null}", "2:23: g.p.value: expected a default, or a type where there is none"),
    ("g:\n  p: {name: P, value: 1, rang: [1, 2]}", '2:26: g.p.rang: unknown field (did you mean "range"?)'),
    ("g:\n  p: {name: 1, value: 1}", "2:13: g.p.name: expected text, got 1 (put it in quotes)"),
    ("g:\n  p: 7", "2:6: g.p: expected a mapping, got 7"),
    ("g: 7", "1:4: g: expected a mapping of parameters, got 7"),
    ("1g:\n  p: {name: P, value: 1}", "1:1: [1g]: not a name for a group"),
    ("g:\n  p-q: {name: P, value: 1}", "2:3: g.p-q: not a name for a parameter"),
    ("g:\n  owner: {name: P, value: ''}", "2:3: g.owner: the platform sets a variable of this name (take another)"),
    ("g:\n  p: {name: P, value: 1}\nh:\n  p: {name: P, value: 1}", "4:3: h.p: g.p has this name"),
    ("g:\n  p: {name: P, value: 5, range: [1, 4]}", "2:23: g.p.value: expected 1 to 4, got 5"),
    ("g:\n  p: {name: P, value: 5, range: [1]}", "2:33: g.p.range: expected two ends"),
    ("g:\n  p: {name: P, value: 5, range: [9, 1]}", "2:33: g.p.range: its lower end, 9, is above its upper one, 1"),
    ("g:\n  p: {name: P, value: 5, range: [a, 9]}", 'g.p.range[0]: expected a whole number, got "a"'),
    ("g:\n  p: {name: P, value: c, options: [a, b]}", '2:23: g.p.value: expected a or b, got "c"'),
    ("g:\n  p: {name: P, value: a, options: [a, a]}", 'g.p.options[1]: "a" is offered twice'),
    ("g:\n  p: {name: P, value: a, options: []}", "g.p.options: may not be empty"),
    ("g:\n  p: {name: P, value: a, options: [a, 1]}", "g.p.options[1]: expected text, got 1"),
    ("g:\n  p: {name: P, value: a, range: [1, 2]}", "2:26: g.p.range: says nothing about the type string"),
    ("g:\n  p: {name: P, value: 1, batch: true}", "g.p.batch: says nothing about the type int, only about string"),
    ("g:\n  p: {name: P, value: a, batch: true}", "2:23: g.p.value: a script of a batch job has no default"),
    (
        "g:\n  p: {name: P, value: '', batch: true, secret: true}",
        "g.p.secret: says nothing about the script of a batch job",
    ),
    (
        "g:\n  p: {name: P, value: '', batch: true}\n  q: {name: Q, value: '', batch: true}",
        "3:34: g.q.batch: g.p is the script already",
    ),
    ("g:\n  p: {name: P, value: 1, pattern: a}", "g.p.pattern: says nothing about the type int, only about string"),
    ("g:\n  p: {name: P, value: '', pattern: '['}", "g.p.pattern: not a regular expression"),
    ("g:\n  p: {name: P, value: '', pattern: a, example: b}", 'g.p.example: "b" does not match the pattern'),
    ("g:\n  p: {name: P, value: b, pattern: a}", "2:23: g.p.value: not of the form that is expected"),
    ("g:\n  p: {name: P, value: abc, max_length: 2}", "2:23: g.p.value: longer than 2 characters"),
    ("g:\n  p: {name: P, value: '', min_length: 9, max_length: 2}", "g.p.min_length: expected at most max_length, 2"),
    ("g:\n  p: {name: P, value: '', max_length: 99999}", "g.p.max_length: expected at most 16384, got 99999"),
    ("g:\n  p: {name: P, value: []}", "g.p.items: missing (what an element is: items: {type: string})"),
    ("g:\n  p: {name: P, value: [], items: {}}", "g.p.items.type: missing (one of string, int"),
    ("g:\n  p: {name: P, value: {}, type: object}", "g.p.fields: missing (the parts of the object, by name)"),
    ("g:\n  p: {name: P, value: a, secret: true}", "2:23: g.p.value: a secret has no default"),
    ("g:\n  p: {name: P, value: '', secret: true, display: true}", "g.p.display: a secret cannot be shown"),
    ("g:\n  p: {name: P, value: 1, secret: true}", "g.p.secret: says nothing about the type int"),
    ("g:\n  p: {name: P, value: '', generate: 20}", "g.p.generate: only a secret can be made up (add secret: true)"),
    ("g:\n  p: {name: P, value: '', secret: true, generate: 4}", "g.p.generate: expected at least 16, got 4"),
    (
        "g:\n  p: {name: P, value: '', resource: cpu}",
        "g.p.resource: cpu is asked for with int or number, not with string",
    ),
    ("g:\n  p: {name: P, value: 1, resource: ram}", "g.p.resource: expected cpu, memory, disk, gpu"),
    (
        "g:\n  p: {name: P, value: 1, resource: cpu}\n  q: {name: P, value: 1, resource: cpu}",
        "g.q.resource: g.p asks for cpu already",
    ),
    ("g:\n  p: {name: P, value: 1, depends: {g.q: 1}}", "g.p.depends[g.q]: there is no such parameter"),
    (
        "g:\n  p: {name: P, value: 1, depends: {g.q: 7}}\n  q: {name: Q, value: 1, range: [1, 2]}",
        "expected 1 to 2, got 7",
    ),
    (
        "g:\n  p: {name: P, value: 1, depends: {g.q: a}}\n  q: {name: Q, value: '', secret: true}",
        "a secret, a list and an object cannot be a condition",
    ),
    (
        "g:\n  p: {name: P, value: 1, depends: {g.q: 1}}\n  q: {name: Q, value: 1, depends: {g.r: 1}}\n"
        "  r: {name: R, value: 1}",
        "g.q depends on something itself (name its condition here too, g.r)",
    ),
    (
        "g:\n  p: {name: P, value: 1, depends: {g.q: 1, g.r: [1, 2]}}\n  q: {name: Q, value: 1, depends: {g.r: 1}}\n"
        "  r: {name: R, value: 1}",
        "g.q depends on something itself (name its condition here too, g.r)",
    ),
    ("g: {p: }}", "1:9: not YAML: "),
    ("[1]", "expected one mapping, got a list"),
    ("", "expected one mapping, got nothing"),
    ("a: {}\n---\nb: {}", "expected one mapping, got several"),
    ("g:\n  p: {name: P, value: 1, value: 2}", "2:26"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_mistake_is_told_with_its_place(text: str, expected: str) -> None:
    """File, line and column, the field, what was expected and what to do."""
    found = read(text)

    assert isinstance(found, tuple)
    lines = [str(rejection) for rejection in found]
    assert any(expected in line for line in lines), lines
    assert all(line.startswith(f"{FOLDER}/user.yaml") for line in lines)


def test_all_mistakes_are_told_at_once() -> None:
    """An author mends a file once, not as often as it has mistakes; they come in the order of the file."""
    found = read("g:\n  p: {name: P, value: 5, range: [1, 4]}\n  q: {value: 1}\n  r: 7\n")

    assert isinstance(found, tuple)
    assert [rejection.position.line for rejection in found] == [2, 3, 4]


def test_a_condition_may_have_one_of_its_own() -> None:
    """Where a parameter names the condition of its condition too, it is always known whether it applies."""
    found = entry(
        """
        g:
          p: {name: P, value: 1, depends: {g.q: 2, g.r: 1}}
          q: {name: Q, value: 1, depends: {g.r: [1, 2]}}
          r: {name: R, value: 3}
        """
    )

    assert found.groups["g"]["p"].depends == (Condition("g", "q", (2,)), Condition("g", "r", (1,)))


# -- files and metadata ------------------------------------------------------------------------------------------------

USER = b"g:\n  p: {name: P, value: 1}\n"
FILES = {"metadata.yaml": METADATA.encode(), "user.yaml": USER, "nomad.hcl": job_text("p: number").encode()}


def parsed(files: dict[str, bytes], *, name: str = "x") -> Entry | tuple[Rejection, ...]:
    """An entry of those files."""
    return parse_entry("modules", name, files, folder=FOLDER, outline=outline(files.get("nomad.hcl", b"")))


FILE_FAULTS: list[tuple[dict[str, bytes | None], str]] = [
    ({"metadata.yaml": None}, f"{FOLDER}/metadata.yaml: missing (an entry has metadata.yaml, user.yaml, nomad.hcl)"),
    ({"user.yaml": None}, f"{FOLDER}/user.yaml: missing"),
    ({"nomad.hcl": None}, f"{FOLDER}/nomad.hcl: missing"),
    ({"user.yaml": b"\xff"}, f"{FOLDER}/user.yaml:1:1: "),
    ({"nomad.hcl": b"\xff"}, f"{FOLDER}/nomad.hcl: not UTF-8 text (save the file as UTF-8)"),
    ({"nomad.hcl": b"job {"}, f"{FOLDER}/nomad.hcl:1:"),
    ({"nomad.hcl": b"#" * 300_000}, f"{FOLDER}/nomad.hcl: the file has more than 262,144 bytes"),
    ({"metadata.yaml": b"summary: s"}, f"{FOLDER}/metadata.yaml:1:1: title: missing (What people call it)"),
    ({"metadata.yaml": b"title: t\nsummary: 1"}, ":2:10: summary: expected text, got 1 (put it in quotes)"),
    ({"metadata.yaml": b"title: t\nsummary: s\ntag: [a]"}, ':3:1: tag: unknown field (did you mean "tags"?)'),
    ({"metadata.yaml": b"title: t\nsummary: s\ntags: a"}, ":3:7: tags: expected a list"),
    (
        {"metadata.yaml": b"title: t\nsummary: s\nlinks: {homepage: 'javascript:alert(1)'}"},
        "links.homepage: expected an address that begins with https:// or http://",
    ),
    ({"metadata.yaml": b"title: t\nsummary: s\ndates: {created: 1.1.26}"}, "expected a date like 2026-01-31"),
    ({"metadata.yaml": b'title: "a\\nb"\nsummary: s'}, "title: expected one line of text"),
]


@pytest.mark.parametrize(("changes", "expected"), FILE_FAULTS)
def test_a_broken_file_is_told(changes: dict[str, bytes | None], expected: str) -> None:
    """What is missing, cannot be read, or says what nobody asked is told with its file."""
    found = parsed({name: data for name, data in {**FILES, **changes}.items() if data is not None})

    assert isinstance(found, tuple)
    assert any(expected in str(rejection) for rejection in found), [str(rejection) for rejection in found]


@pytest.mark.parametrize("name", ["X", "a b", "-a", "a-", "", "a/b", "a" * 64, ".."])
def test_an_entry_has_a_name_that_fits_a_path(name: str) -> None:
    """Small letters, digits and - are what an entry is called by."""
    found = parsed(FILES, name=name)

    assert isinstance(found, tuple)
    assert "is not a name for an entry" in found[0].message


def test_an_entry_is_whole() -> None:
    """All three files are there in the entry, and its digest is of all of them."""
    found = parsed(FILES)
    changed = [parsed({**FILES, name: data + b"\n"}) for name, data in FILES.items()]

    assert isinstance(found, Entry)
    assert (found.id, found.metadata.title, found.hcl) == ("modules/x", "A thing", FILES["nomad.hcl"].decode())
    digests = {found.digest, *(one.digest for one in changed if isinstance(one, Entry))}
    assert len(digests) == 4
    assert parsed(FILES) == found


def test_what_a_jobspec_uses() -> None:
    """The outline has the variables, where they are named, and the functions, those that are volatile marked."""
    text = b'variable "a" {\n  type = string\n}\njob "x" {\n  name = "${var.a}-${uuidv4()}-${upper("x")}"\n}\n'

    assert outline(text) == Outline(
        variables=(Variable("a", "string", True, 1),),
        references=(Use("a", 5, 13),),
        functions=(Use("uuidv4", 5, 22, True), Use("upper", 5, 34)),
    )
    found = outline(b"job {{")
    assert isinstance(found, Mistake)
    assert found.line == 1


# -- by name -----------------------------------------------------------------------------------------------------------

REJECTION = Rejection(Position("catalog/tools/b/user.yaml", 1, 2), "no good")

LOOKUPS: list[tuple[Catalog, str, str]] = [
    (Catalog(), "modules/x", 'there is no entry "modules/x"'),
    (Catalog(problem="no route"), "modules/x", '"modules/x" is not known, for the catalog is not: no route'),
    (
        Catalog(broken={"tools/b": (REJECTION,)}),
        "tools/b",
        "the entry tools/b is broken: catalog/tools/b/user.yaml:1:2",
    ),
]


@pytest.mark.parametrize(("catalog", "entry_id", "expected"), LOOKUPS)
def test_why_there_is_no_entry(catalog: Catalog, entry_id: str, expected: str) -> None:
    """What never was there, what is broken, and what nobody knows now are three things."""
    found = find(catalog, entry_id)

    assert isinstance(found, Fault)
    assert found.message.startswith(expected)
    assert found.loc == ("catalog",)


@pytest.mark.parametrize(
    ("entry_id", "hint"),
    [
        ("modules/one", None),
        ("tools/one", 'did you mean "modules/one"?'),
        ("one", 'did you mean "modules/one"?'),
        ("modules/on", 'did you mean "modules/one"?'),
        ("zzz", "there are: modules/one, tools/other"),
    ],
)
def test_an_entry_by_its_name(entry_id: str, hint: str | None) -> None:
    """An entry is found by section and name, and the nearest is offered for a mistyped one."""
    one = replace(entry("g: {}"), name="one")
    catalog = Catalog({"modules/one": one, "tools/other": replace(one, name="other", section="tools")})
    found = find(catalog, entry_id)

    assert (found.hint if isinstance(found, Fault) else None) == hint
    assert hint is not None or found is one


def test_a_catalog_over_another() -> None:
    """Of two entries with one name that of the upper catalog counts, even if it is broken."""
    one, other = replace(entry("g: {}"), digest="1"), replace(entry("g: {}"), digest="2")
    upper = Catalog({"modules/a": one}, {"modules/b": (REJECTION,)}, "late")
    lower = Catalog({"modules/a": other, "modules/b": other, "modules/c": other}, problem="away")

    both = upper.over(lower)

    assert {id_: e.digest for id_, e in both.entries.items()} == {"modules/a": "1", "modules/c": "2"}
    assert both.rejections == (REJECTION,)
    assert both.problem == "late; away"
