"""No input crashes the reader, makes it recurse, or keeps it busy."""

import json
from pathlib import Path
from time import perf_counter

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from herdsman.core import yamlevents
from herdsman.core.locate import Places
from herdsman.core.parse import parse_file, parse_job_body
from herdsman.core.yamlevents import LARGEST
from herdsman.model.keys import job_key

ROOT = Path(__file__).parents[3]
SEEDS = [path.read_bytes() for folder in ("crd_examples", "specs") for path in sorted((ROOT / folder).glob("*.yaml"))]
JSON_SEEDS = [json.dumps(document).encode() for seed in SEEDS for document in yaml.safe_load_all(seed)]
PIECES = st.sampled_from(
    [
        *(b"\n", b" ", b"  ", b"\t", b": ", b"- ", b"? ", b"[", b"]", b"{", b"}", b",", b"'", b'"', b"\\", b"|", b">"),
        *(b"&a ", b"*a", b"!x ", b"!!str ", b"<<: ", b"---\n", b"...\n", b"%YAML 1.1\n", b"#", b"@", b"`", b"\0"),
        *(b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"1e999", b".nan", b"0o7"),
        *(b"~", b"null", b"kind: Job\n", b"name: a\n", b"spec:\n  job:\n", b"TaskGroups: "),
    ]
)


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A real file with a few cuts, insertions and repetitions."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 200)))
        match draw(st.sampled_from(["cut", "insert", "repeat", "replace"])):
            case "cut":
                data = data[:at] + data[end:]
            case "insert":
                data = data[:at] + draw(PIECES) + data[at:]
            case "repeat":
                data = data[:end] + data[at:end] + data[end:]
            case _:
                data = data[:at] + draw(PIECES) + data[end:]
    return data


def check(path: str, data: bytes) -> None:
    """What must hold for every input: an answer, with places inside the file and words on one line."""
    file = parse_file(path, data)
    lines = data.count(b"\n") + data.count(b"\r") + data.count(b"\xc2\x85") + data.count(b"\xe2\x80") + 2
    for rejection in file.rejections:
        assert rejection.position.path == path
        assert 0 <= rejection.position.line <= lines
        assert str(rejection).isprintable()
        assert len(str(rejection)) < 1500
    for document in file.documents:
        assert (document.key is None) == (document.kind == "Fleet")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_answered(data: bytes) -> None:
    """Bytes without any meaning are refused in words."""
    check("a.yaml", data)
    check("a.json", data)
    parse_job_body("a.json", data, key=job_key("default", "a"))


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=60).map(b"".join))
def test_random_yaml_is_answered(data: bytes) -> None:
    """Anything made of YAML's own signs is read or refused in words."""
    check("a.yaml", data)


@settings(max_examples=150, deadline=None)
@given(mutated(SEEDS))
def test_damaged_specs_are_answered(data: bytes) -> None:
    """A real spec with a few accidents is read or refused in words."""
    check("a.yaml", data)


@settings(max_examples=100, deadline=None)
@given(mutated(JSON_SEEDS))
def test_damaged_json_is_answered(data: bytes) -> None:
    """A real spec in JSON with a few accidents is read or refused in words."""
    check("a.json", data)
    parse_job_body("a.json", data, key=job_key("default", "a"))


HEAD = b"apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: a}\nspec:\n"
HOSTILE = {
    "10 MB": b"x" * 10_000_000,
    "lists": b"[" * 1_000_000,
    "lists, small": b"[" * LARGEST,
    "dashes": b"- " * 1_000_000,
    "dashes, small": b"- " * (LARGEST // 2),
    "mappings": b"{a:" * 100_000,
    "mappings, small": b"{a:" * (LARGEST // 3),
    "complex keys": b"? " * (LARGEST // 2),
    "indentation": b"".join(b" " * n + b"a:\n" for n in range(700)),
    "depth after a duplicate": b"a: 1\na: 2\nb: " + b"[" * 200_000,
    "anchors": b"&a [" * (LARGEST // 4),
    "tags": b"!a " * (LARGEST // 3),
    "documents": b"---\n" * (LARGEST // 4),
    "documents of nothing": b"--- a\n" * (LARGEST // 6),
    "commas": b"[" + b"," * 200_000,
    "colons": b":" * LARGEST,
    "quotes": b'"' * LARGEST,
    "open quote": b'"' + b"x\n" * 100_000,
    "backslashes": b'"' + b"\\\\" * 100_000 + b'"',
    "one long key": b"a" * 200_000 + b": 1",
    "long plain text": b"a: " + b"b " * 100_000,
    "folded text": b"a: >\n" + b"  b\n\n" * 40_000,
    "comments": b"#\n" * (LARGEST // 2),
    "digits": b"a: " + b"1" * 200_000,
    "points": b"a: " + b"1." * 100_000,
    "exponent": b"a: 1e" + b"9" * 200_000,
    "underscores": b"a: 1" + b"_" * 200_000,
    "NULs": b"\0" * LARGEST,
    "not UTF-8": b"\xff" * LARGEST,
    "many keys": b"".join(b"k%d: 1\n" % n for n in range(20_000)),
    "many unknown fields": HEAD + b"".join(b"  k%d: 1\n" % n for n in range(20_000)),
    "many misspelt fields": HEAD + b"  job:\n" + b"".join(b"    TaskGrop%d: 1\n" % n for n in range(12_000)),
    "many wrong elements": HEAD + b"  job: {Datacenters: [" + b"1," * 100_000 + b"]}",
    "many bad documents": b"---\n".join([HEAD + b"".join(b"  Jobb%d: 1\n" % n for n in range(20))] * 700),
    "many variables": HEAD + b"  hcl: x\n  variables:\n" + b"".join(b"    k%d: 1\n" % n for n in range(18_000)),
    "many bad variables": HEAD + b"  hcl: x\n  variables:\n" + b"".join(b"    %d!: 1\n" % n for n in range(18_000)),
    "a long path": HEAD + b"  hcl: x\n  policy: {ignore: ['" + b"A[" * 100_000 + b"']}",
    "a long duration": HEAD + b"  hcl: x\n  policy: {healthTimeout: '" + b"1s" * 100_000 + b"'}",
    "a long name": b"apiVersion: herdsman/v1\nkind: Job\nmetadata: {name: " + b"a/" * 100_000 + b"}",
    "a long schedule": b"apiVersion: herdsman/v1\nkind: Fleet\nmetadata: {name: a}\nspec: {windows: [{schedule: '"
    + b"1-5," * 50_000
    + b" * * * *', duration: 1h}]}",
    "many bad zones": b"apiVersion: herdsman/v1\nkind: Fleet\nmetadata: {name: a}\nspec: {windows: ["
    + b",".join(b"{schedule: 0 0 * * *, duration: 1h, timeZone: Zz%d}" % n for n in range(4000))
    + b"]}",
    "a long zone": b"apiVersion: herdsman/v1\nkind: Fleet\nmetadata: {name: a}\nspec: {windows: [{schedule: 0 0 * * *,"
    b" duration: 1h, timeZone: " + b"a" * 100_000 + b"}]}",
}


DEEP = ["lists, small", "dashes, small", "mappings, small", "complex keys", "indentation", "depth after a duplicate"]


@pytest.mark.parametrize(
    ("hostile", "parser"), [*((name, "C") for name in HOSTILE), *((name, "Python") for name in DEEP)]
)
def test_hostile_files_are_answered_at_once(hostile: str, parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither depth nor breadth nor length crashes the reader or keeps it for long, and the answer stays small."""
    loader = yaml.CSafeLoader if parser == "C" and yaml.__with_libyaml__ else yaml.SafeLoader
    monkeypatch.setattr(yamlevents, "_PARSER", loader)
    before = perf_counter()
    for path in ("a.yaml", "a.json"):
        file = parse_file(path, HOSTILE[hostile])
        assert all(len(str(r)) < 1500 for r in file.rejections)
    Places("a.yaml", HOSTILE[hostile])
    assert perf_counter() - before < 15
