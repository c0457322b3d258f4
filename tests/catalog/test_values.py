"""One value against its rule, and all parameters of a deployment together."""

import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from catalog.making import entry, parameter_sets, refused, rendered
from herdsman.core.catalog import applies, narrow, parameters_config, parameters_schema, resolve, told
from herdsman.core.catalog.values import conform, interval
from herdsman.core.problems import Fault
from herdsman.model.catalog import Entry, Field, Kind, Limits, Range, Resolved, Resource, Rule

TEXT = Rule(Kind.STRING, max_length=10)
LINES = Rule(Kind.STRING, max_length=10, multiline=True)
CODE = Rule(Kind.STRING, max_length=10, pattern=r"\d+", example="12")
INT = Rule(Kind.INT, range=Range(1, 10))
NUMBER = Rule(Kind.NUMBER, range=Range(0.5, None))
LIST = Rule(Kind.LIST, min_length=1, max_length=2, items=INT)
OBJECT = Rule(
    Kind.OBJECT,
    fields={
        "doi": Field("DOI", TEXT, "Where it is", required=True),
        "force": Field("F", Rule(Kind.BOOL), default=False),
    },
)

GOOD: list[tuple[Rule, Any, Any]] = [
    (TEXT, "", ""),
    (TEXT, "0123456789", "0123456789"),
    (TEXT, "e\u0301", "é"),
    (TEXT, "$ {1}", "$ {1}"),
    (TEXT, "{{ x }}", "{{ x }}"),
    (LINES, "a\r\nb\tc", "a\nb\tc"),
    (Rule(Kind.STRING, max_length=10, interpolate=True), "${a}", "${a}"),
    (CODE, "007", "007"),
    (Rule(Kind.STRING, options=("a", "")), "", ""),
    (INT, 1, 1),
    (INT, 10.0, 10),
    (NUMBER, 0.5, 0.5),
    (NUMBER, 2, 2),
    (NUMBER, 2.0, 2),
    (Rule(Kind.BOOL), True, True),
    (Rule(Kind.BOOL, options=(False, True)), False, False),
    (LIST, [1, 2], [1, 2]),
    (LIST, (1,), [1]),
    (OBJECT, {"doi": "a"}, {"doi": "a", "force": False}),
]


@pytest.mark.parametrize(("rule", "value", "expected"), GOOD)
def test_a_value_that_fits(rule: Rule, value: Any, expected: Any) -> None:
    """It comes out as the job will hold it: NFC, plain line ends, whole numbers whole, parts left out filled."""
    faults: list[Fault] = []
    found = conform(rule, value, ("g", "p"), faults)

    assert (found, type(found), faults) == (expected, type(expected), [])


BAD: list[tuple[Rule, Any, str]] = [
    (TEXT, 1, "g.p: expected text, got 1 (put it in quotes)"),
    (TEXT, None, 'g.p: expected text, got nothing (write "" for an empty text)'),
    (TEXT, ["a"], "g.p: expected text, got a list"),
    (TEXT, "0123456789a", "g.p: longer than 10 characters"),
    (TEXT, "a" * 1_000_000, "g.p: longer than 10 characters"),
    (TEXT, "a\nb", "g.p: the character U+000A is not allowed (write one line)"),
    (TEXT, "a\u2028b", "g.p: the character U+2028 is not allowed (write one line)"),
    (TEXT, "a\0", "g.p: the character U+0000 is not allowed"),
    (TEXT, "\ud800", "g.p: the character U+D800 is not allowed"),
    (LINES, "a\rb", "g.p: the character U+000D is not allowed"),
    (TEXT, "${1+1}", "g.p: may not hold ${ or %{ (Nomad would take what follows for an expression)"),
    (TEXT, "%{if x}", "g.p: may not hold ${ or %{ (Nomad would take what follows for an expression)"),
    (TEXT, "$${1}", "g.p: may not hold ${ or %{ (Nomad would take what follows for an expression)"),
    (CODE, "a", 'g.p: not of the form that is expected, got "a" (for example 12)'),
    (CODE, "", 'g.p: not of the form that is expected, got "" (for example 12)'),
    (CODE, "12\n", "g.p: the character U+000A is not allowed (write one line)"),
    (CODE, "\u0661\u0662", "g.p: not of the form that is expected"),
    (Rule(Kind.STRING, max_length=9, min_length=3), "ab", "g.p: shorter than 3 characters"),
    (Rule(Kind.STRING, options=("a", "b")), "c", 'g.p: expected a or b, got "c"'),
    (Rule(Kind.STRING, options=tuple(f"v{n}" for n in range(20))), "v2x", "g.p: not one of the 20 that are offered"),
    (INT, 0, "g.p: expected 1 to 10, got 0"),
    (INT, 11, "g.p: expected 1 to 10, got 11"),
    (INT, 1.5, "g.p: expected a whole number, got 1.5"),
    (INT, "1", 'g.p: expected a whole number, got "1"'),
    (INT, True, "g.p: expected a whole number, got true"),
    (INT, math.nan, "g.p: expected a whole number, got nan"),
    (NUMBER, math.nan, "g.p: expected a number, got nan"),
    (NUMBER, math.inf, "g.p: expected a number, got inf"),
    (NUMBER, 0.1, "g.p: expected at least 0.5, got 0.1"),
    (NUMBER, 2.0**60, "g.p: beyond what a number can be"),
    (Rule(Kind.INT), 10**400, "g.p: beyond what a number can be"),
    (Rule(Kind.BOOL), 1, "g.p: expected true or false, got 1"),
    (Rule(Kind.BOOL), "true", 'g.p: expected true or false, got "true"'),
    (LIST, [], "g.p: fewer than 1 elements"),
    (LIST, [1, 2, 3], "g.p: more than 2 elements"),
    (LIST, [1, 99], "g.p[1]: expected 1 to 10, got 99"),
    (LIST, "12", 'g.p: expected a list, got "12"'),
    (OBJECT, [], "g.p: expected a mapping, got a list"),
    (OBJECT, {}, "g.p.doi: missing (Where it is)"),
    (OBJECT, {"doi": "a", "forse": True}, 'g.p.forse: unknown field (did you mean "force"?)'),
    (Rule(Kind.INT, range=Range(5, 1)), 3, "g.p: no value is allowed"),
]


@pytest.mark.parametrize(("rule", "value", "expected"), BAD)
def test_a_value_that_does_not_fit(rule: Rule, value: Any, expected: str) -> None:
    """It is told where, what was expected, what was found, and what to do."""
    faults: list[Fault] = []
    conform(rule, value, ("g", "p"), faults)

    (fault,) = faults
    assert told(fault).startswith(expected)


SECRETS = [
    "tooshort",
    "with:colon-and-more",
    1234567890,
    "a\nb-and-so-on-and-on",
    "tag\U000e0041-and-so-on",
    ["a-list"],
]


@pytest.mark.parametrize("value", SECRETS)
def test_a_secret_is_never_repeated(value: Any) -> None:
    """What is wrong with a secret is told without it."""
    faults: list[Fault] = []
    conform(Rule(Kind.STRING, pattern="[^:]+", min_length=9, max_length=99), value, ("g", "p"), faults, secret=True)

    assert len(faults) == 1
    assert str(value) not in told(faults[0])
    assert "with" not in told(faults[0])


@pytest.mark.parametrize(
    ("allowed", "expected"), [(Range(1, 2), "1 to 2"), (Range(1), "at least 1"), (Range(None, 0.5), "at most 0.5")]
)
def test_a_range_in_words(allowed: Range, expected: str) -> None:
    """As people say it."""
    assert interval(allowed) == expected


# -- all parameters together -------------------------------------------------------------------------------------------

THING = """
general:
  title: {name: Title, value: "", max_length: 20}
  service: {name: Service, value: api, options: [api, ide]}
  password:
    name: Password
    value: ""
    description: For the IDE. It is long.
    secret: true
    required: true
    min_length: 9
    depends: {general.service: ide}
  key: {name: Key, value: "", secret: true, generate: 32}
hardware:
  cpu: {name: CPU, value: 4, range: [1, 10], resource: cpu}
  ram: {name: RAM, value: 8000, range: [2000, 40000], resource: memory}
  gpu: {name: GPU, value: 0, range: [0, 1], resource: gpu}
  model: {name: Model, value: "", resource: gpu_model, depends: {hardware.gpu: 1}}
  share: {name: Share, value: 0.5, range: [0, 1]}
  parts: {name: Parts, value: [], items: {type: string, pattern: "[a-z]+", example: a}, max_length: 3}
"""
HARDWARE = {"cpu": 4, "ram": 8000, "gpu": 0, "model": "", "share": 0.5, "parts": []}


def thing() -> Entry:
    """An entry with a bit of everything."""
    return entry(THING)


def resolved(given: object, of: Entry | None = None) -> Resolved:
    """Parameters that must be right."""
    found = resolve(of or thing(), given)
    assert isinstance(found, Resolved), [told(fault) for fault in found]
    return found


RESOLVED: list[tuple[object, dict[str, Any]]] = [
    (None, {}),
    ({}, {}),
    ({"general": None}, {}),
    ({"general": {"title": "Mine"}}, {"title": "Mine"}),
    ({"hardware": {"cpu": 2, "parts": ["a", "b"]}}, {"cpu": 2, "parts": ["a", "b"]}),
    ({"hardware": {"model": "T4"}}, {}),
    ({"hardware": {"gpu": 1, "model": "T4"}}, {"gpu": 1, "model": "T4"}),
]


@pytest.mark.parametrize(("given", "changed"), RESOLVED)
def test_what_is_given_goes_over_the_defaults(given: object, changed: dict[str, Any]) -> None:
    """All parameters come out, those of no meaning with their defaults."""
    found = resolved(given)

    values = {key: value for group in found.values.values() for key, value in group.items()}
    assert values == {"title": "", "service": "api", **HARDWARE, **changed}
    assert (found.secrets, found.generate) == ({"password": "", "key": ""}, {"key": 32})


def test_secrets_are_apart() -> None:
    """A secret is not among the values, and nothing that is shown of them has it."""
    found = resolved({"general": {"service": "ide", "password": "sesame-open", "key": "my-own-key"}})

    assert found.secrets == {"password": "sesame-open", "key": "my-own-key"}
    assert found.generate == {}
    assert "password" not in found.values["general"]
    assert "sesame" not in repr(found)


UNRESOLVED: list[tuple[object, list[str]]] = [
    ([], ["expected a mapping of groups, got a list"]),
    ({"genral": {}}, ['genral: unknown group (did you mean "general"?)']),
    ({"title": "x"}, ["title: unknown group (it is a parameter: general.title)"]),
    ({1: {}}, ["1: unknown group (known here: general, hardware)"]),
    ({"general": []}, ["general: expected a mapping of parameters, got a list"]),
    ({"general": {"titel": "x"}}, ['general.titel: unknown parameter (did you mean "title"?)']),
    ({"general": {"ram": 1}}, ["general.ram: unknown parameter (it is hardware.ram)"]),
    ({"general": {"service": "ide"}}, ["general.password: required (For the IDE)"]),
    ({"general": {"service": "ide", "password": ""}}, ["general.password: required (For the IDE)"]),
    ({"general": {"service": "ide", "password": "short"}}, ["general.password: shorter than 9 characters"]),
    ({"general": {"password": "short"}}, ["general.password: shorter than 9 characters"]),
    (
        {"general": {"title": "x" * 21, "service": "web"}, "hardware": {"cpu": 99, "parts": ["a", "B"]}},
        [
            "general.title: longer than 20 characters",
            'general.service: expected api or ide, got "web"',
            "hardware.cpu: expected 1 to 10, got 99",
            'hardware.parts[1]: not of the form that is expected, got "B" (for example a)',
        ],
    ),
]


@pytest.mark.parametrize(("given", "expected"), UNRESOLVED)
def test_everything_that_is_wrong_is_told(given: object, expected: list[str]) -> None:
    """All of it at once, each with what to do."""
    found = resolve(thing(), given)

    assert isinstance(found, tuple)
    lines = [told(fault) for fault in found]
    assert len(lines) == len(expected)
    assert all(line.startswith(begin) for line, begin in zip(lines, expected, strict=True)), lines


def test_secrets_have_to_fit_a_nomad_variable() -> None:
    """More secret text than a Nomad variable holds is refused before Nomad does."""
    many = "\n".join(f"  s{n}: {{name: S, value: '', secret: true, max_length: 16000}}" for n in range(5))
    found = resolve(entry(f"g:\n{many}\n"), {"g": {f"s{n}": "x" * 16000 for n in range(5)}})

    assert isinstance(found, tuple)
    assert [told(fault) for fault in found] == ["the secrets together are larger than 61,440 bytes"]


def test_a_fault_says_where_it_stands_in_a_deployment() -> None:
    """Its place leads from the spec of a deployment to the value; what a fact is wrong with is told by its name."""
    assert [fault.loc for fault in refused(thing(), {"hardware": {"cpu": 99}})] == [("parameters", "hardware", "cpu")]


# -- limits ------------------------------------------------------------------------------------------------------------

LIMITS: list[tuple[Limits, str, Range, object]] = [
    (Limits(), "cpu", Range(1, 10), 4),
    (Limits(cpu=Range(2, 3)), "cpu", Range(2, 3), 3),
    (Limits(cpu=Range(0.5, 2.5)), "cpu", Range(1, 2), 2),
    (Limits(cpu=Range(None, 100)), "cpu", Range(1, 10), 4),
    (Limits(cpu=Range(6, None)), "cpu", Range(6, 10), 6),
    (Limits(memory=Range(2000, 4000)), "ram", Range(2000, 4000), 4000),
    (Limits(gpu=Range(0, 0)), "gpu", Range(0, 0), 0),
    (Limits(cpu=Range(20, 30)), "cpu", Range(20, 10), 4),
    (Limits(cpu=Range(2, 3)), "share", Range(0, 1), 0.5),
]


@pytest.mark.parametrize(("limits", "key", "allowed", "default"), LIMITS)
def test_a_namespace_narrows_what_may_be_asked_for(limits: Limits, key: str, allowed: Range, default: object) -> None:
    """Ranges are no wider than the namespace's, and defaults are inside."""
    found = narrow(thing(), limits).groups["hardware"][key]

    assert (found.rule.range, found.default) == (allowed, default)


def test_who_narrowed_is_told() -> None:
    """A value that the entry allows and the namespace does not is refused in the namespace's name."""
    limits = Limits(namespace="tutorials", cpu=Range(2, 4))
    found = resolve(narrow(thing(), limits), {"hardware": {"cpu": 8}})

    assert isinstance(found, tuple)
    assert [told(fault) for fault in found] == [
        "hardware.cpu: expected 2 to 4, got 8 (the namespace tutorials allows 2 to 4)"
    ]


@pytest.mark.parametrize("given", [None, {}, {"hardware": {"cpu": 4}}, {"hardware": {"cpu": 25}}])
def test_where_a_namespace_allows_nothing_nothing_is_deployed(given: object) -> None:
    """An entry that needs more than the namespace has is refused, whether its default is given, meant or replaced."""
    found = resolve(narrow(thing(), Limits(namespace="small", cpu=Range(20, 30))), given)

    assert isinstance(found, tuple)
    assert [told(fault) for fault in found] == [
        "hardware.cpu: no value is allowed (the namespace small allows 20 to 30)"
    ]


def test_a_broken_limit_is_kept_to() -> None:
    """A default that is a whole number by chance is not rounded out of a range."""
    of = entry("g: {cpu: {name: CPU, value: 1, type: number, range: [0.1, 8], resource: cpu}}")

    assert narrow(of, Limits(cpu=Range(2.5, 4))).groups["g"]["cpu"].default == 2.5
    assert narrow(of, Limits(cpu=Range(0.1, 0.5))).groups["g"]["cpu"].default == 0.5


def test_models_that_there_are() -> None:
    """Where the cluster's GPUs are known only they are offered, and any at all."""
    gpu = {"hardware": {"gpu": 1, "model": "T4"}}
    entry = thing()

    assert isinstance(resolve(narrow(entry, Limits(gpu_models=("Tesla T4",))), gpu), tuple)
    assert isinstance(resolve(narrow(entry, Limits(gpu_models=("T4", "A100"))), gpu), Resolved)
    assert narrow(entry, Limits(gpu_models=("T4",))).groups["hardware"]["model"].rule.options == ("", "T4")


def test_every_resource_has_its_limit() -> None:
    """No resource is narrowed by another's limit."""
    limits = Limits(cpu=Range(1, 1), memory=Range(2, 2), disk=Range(3, 3), gpu=Range(4, 4))
    counted = [r for r in Resource if r is not Resource.GPU_MODEL]

    assert {r: limits.range(r).low for r in counted} == dict(zip(counted, (1, 2, 3, 4), strict=True))


# -- properties --------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.data())
def test_what_is_resolved_is_resolved(data: st.DataObject) -> None:
    """Resolved values given again are the same; none is outside its rule; what does not apply is the default."""
    of = thing()
    given = data.draw(parameter_sets(of))
    found = resolve(of, given)
    if not isinstance(found, Resolved):
        assert {fault.message for fault in found} == {"required"}
        return
    secrets = {p.group: {k: v for k, v in found.secrets.items() if v} for p in of.secrets}
    again = resolved({g: {**values, **secrets.get(g, {})} for g, values in found.values.items()}, of)

    assert again == found
    for parameter in of.parameters:
        if not parameter.secret:
            value = found.values[parameter.group][parameter.key]
            faults: list[Fault] = []
            conform(parameter.rule, value, (), faults)
            assert not faults or value == parameter.default
            assert applies(parameter, {**found.values}) or value == parameter.default


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["api", "ide", "a", "T4"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["title", "service", "password", "key", "cpu", "ram", "gpu", "model", "share", "parts", "other"])
SETS = st.dictionaries(
    st.sampled_from(["general", "hardware", "other"]), st.dictionaries(KEYS, ANYTHING, max_size=4), max_size=3
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SETS)
def test_the_schema_says_what_is_refused(given: dict[str, Any]) -> None:
    """Whatever is given, the schema and `resolve` agree; only what depends on another parameter a schema cannot say."""
    of = thing()
    found = resolve(of, given)
    unsaid = {"required"}
    wrong = isinstance(found, tuple) and {fault.message for fault in found} - unsaid

    valid = Draft202012Validator(parameters_schema(of)).is_valid(given)
    assert valid == (not wrong), (given, found)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ANYTHING)
def test_nothing_that_is_given_is_a_crash(given: Any) -> None:
    """Whatever arrives instead of parameters is refused with words, or is no parameters at all."""
    found = resolve(thing(), given)

    assert isinstance(found, Resolved) == (given is None or given == {})
    if isinstance(found, tuple):
        assert all(told(fault) for fault in found)


def test_a_schema_is_one() -> None:
    """The schema is valid, says defaults, and hides secrets."""
    schema = parameters_schema(narrow(thing(), Limits(namespace="lab", cpu=Range(1, 2))))
    Draft202012Validator.check_schema(schema)
    general, hardware = (schema["properties"][group]["properties"] for group in ("general", "hardware"))

    assert schema["title"] == "A thing"
    assert general["password"]["writeOnly"]
    assert "default" not in general["password"]
    assert general["password"]["x-herdsman"] == {"required": True, "depends": {"general.service": ["ide"]}}
    assert general["service"]["enum"] == ["api", "ide"]
    assert (hardware["cpu"]["minimum"], hardware["cpu"]["maximum"], hardware["cpu"]["default"]) == (1, 2, 2)
    assert hardware["cpu"]["x-herdsman"]["note"] == "the namespace lab allows 1 to 2"


def test_a_config_reads_like_a_users_file() -> None:
    """Parameters are told as user.yaml has them, with the namespace's ranges and defaults, and without a secret."""
    found = parameters_config(narrow(thing(), Limits(namespace="lab", cpu=Range(1, 2))))

    assert list(found) == ["general", "hardware"]
    assert found["general"]["service"] == {
        "name": "Service",
        "value": "api",
        "type": "string",
        "options": ["api", "ide"],
    }
    assert found["general"]["password"] == {
        "name": "Password",
        "value": "",
        "type": "string",
        "description": "For the IDE. It is long.",
        "min_length": 9,
        "max_length": 256,
        "secret": True,
        "required": True,
        "depends": {"general.service": ["ide"]},
    }
    assert found["hardware"]["cpu"] == {
        "name": "CPU",
        "value": 2,
        "type": "int",
        "range": [1, 2],
        "resource": "cpu",
        "note": "the namespace lab allows 1 to 2",
    }


def test_only_declared_variables_are_set() -> None:
    """A fact that a jobspec does not declare is not sent: its change would be no change of the job."""
    found = rendered(thing())

    assert found.source.variables == {"deployment_id": "d-1"}
    assert found.source.path == "catalog/modules/x/nomad.hcl"
