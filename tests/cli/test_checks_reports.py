"""The renderings: every format holds the same, and nothing that a spec holds breaks out of any."""

import re
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herdsman.cli.junit import junit_of
from herdsman.cli.markdown import LIMIT, MARK, markdown_of
from herdsman.cli.reports import Checked, Compared, json_of, text_of
from herdsman.model.desired import Position, Rejection
from herdsman.model.keys import Key, job_key
from herdsman.model.observed import FieldChange, GroupUpdates
from herdsman.model.plans import Action, Decision, Plan, Reason

WEB = job_key("default", "web")
PLACE = Position("web.yaml", 3, 1)
REPLACED = Plan(
    WEB,
    Decision(Action.UPDATE, Reason.SPEC_CHANGED, "its spec changed"),
    changes=(FieldChange("Meta[a]", "", "b"),),
    updates={"g": GroupUpdates(destructive=2)},
)
REFUSED = Plan(job_key("default", "bad"), Decision(Action.NOTHING, Reason.REFUSED, "Nomad would refuse it: no driver"))
HELD = Plan(job_key("default", "db"), Decision(Action.HOLD, Reason.PRUNE_LIMIT, "too much at once"))
REJECTION = Rejection(
    Position("x.yaml", 4, 8), "unknown field", "spec.jobb", "did you mean job?", job_key("default", "x")
)
ORPHAN = Rejection(Position("y.yaml", 1, 7), "not YAML")

FOUND = Compared(
    "f",
    "the specs at main",
    (REPLACED, REFUSED, HELD),
    {WEB: PLACE},
    (REJECTION, ORPHAN),
    ("a note",),
    "main",
    "0123456789abcdef",
)
CHECKED = Checked("f", {WEB: PLACE}, (REJECTION, ORPHAN), (Rejection(PLACE, "doubtful", key=WEB),))


def test_text_says_the_blast_radius_first() -> None:
    """Then what is rejected, then each plan, the gravest first, with its changes below it."""
    assert text_of(FOUND).splitlines() == [
        "fleet f against the specs at main: 2 rejected, 1 to replace (2 allocations), 1 held (1 PruneLimit),"
        " 1 that cannot be judged",
        "note: a note",
        "x x.yaml:4:8: spec.jobb: unknown field (did you mean job?)",
        "x y.yaml:1:7: not YAML",
        "~ Job default/web: destructive (SpecChanged) [g: 2 replaced]",
        "    Meta[a]: (none) → b",
        "? Job default/bad: failed (Refused)",
        "    Nomad would refuse it: no driver",
        "! Job default/db: held (PruneLimit)",
        "    too much at once",
    ]


def test_json_has_the_shape_that_is_documented() -> None:
    """Programs rely on it: a field that goes, or is called otherwise, breaks them."""
    found = json_of(FOUND)

    assert found["format"] == "herdsman.diff/v1"
    assert found["result"] == "error"
    assert found["base"] == {"ref": "main", "commit": "0123456789abcdef"}
    assert found["blastRadius"] == {
        "creates": 0,
        "inPlace": 0,
        "destructive": 1,
        "replacedAllocations": 2,
        "stops": 0,
        "purges": 0,
        "adopts": 0,
        "failed": 1,
        "held": {"PruneLimit": 1},
    }
    assert found["plans"][0] == {
        "kind": "Job",
        "namespace": "default",
        "name": "web",
        "path": "web.yaml",
        "line": 3,
        "effect": "destructive",
        "action": "update",
        "reason": "SpecChanged",
        "message": "its spec changed",
        "changes": [{"path": "Meta[a]", "old": "", "new": "b"}],
        "reach": "g: 2 replaced",
        "updates": {
            "g": {"place": 0, "stop": 0, "in_place": 0, "destructive": 2, "canary": 0, "migrate": 0, "ignore": 0}
        },
        "failures": {},
        "warnings": [],
    }
    assert found["rejections"][0] == {
        "kind": "Job",
        "namespace": "default",
        "name": "x",
        "path": "x.yaml",
        "line": 4,
        "column": 8,
        "field": "spec.jobb",
        "message": "unknown field",
        "hint": "did you mean job?",
    }
    assert json_of(CHECKED).keys() == {"format", "result", "fleet", "specs", "errors", "warnings"}


def test_junit_has_a_case_for_each_spec() -> None:
    """A rejection is a failure with file, line and column; what cannot be judged is one, what is held is none."""
    root = ET.fromstring(junit_of(FOUND))
    cases = {c.get("name"): c for c in root.iter("testcase")}

    assert cases.keys() == {"web", "bad", "db", "x", "y.yaml"}
    assert {n for n, c in cases.items() if c.find("failure") is not None} == {"bad", "x", "y.yaml"}
    assert (cases["x"].get("file"), cases["x"].get("line")) == ("x.yaml", "4")
    assert "x.yaml:4:8: spec.jobb" in str(cases["x"].find("failure").get("message"))  # type: ignore[union-attr]
    assert (root.get("tests"), root.get("failures")) == ("5", "3")
    assert "Meta[a]: (none) → b" in str(cases["web"].findtext("system-out"))


def test_junit_of_validate_counts_what_is_fine_too() -> None:
    """A spec without a fault is a case that passed; a warning is no failure."""
    root = ET.fromstring(junit_of(CHECKED))

    assert (root.get("tests"), root.get("failures")) == ("3", "2")
    assert "doubtful" in str(root.findtext("testsuite/system-out"))


def test_markdown_is_a_line_a_table_and_what_folds_open() -> None:
    """The mark by which a pipeline finds its comment, then the blast radius."""
    text = markdown_of(FOUND)

    assert text.startswith(f"{MARK}\n### ❌ Herdsman: 2 rejected, 1 to replace (2 allocations)")
    assert "| 💥 replace | <code>Job default&#47;web</code> | SpecChanged | <code>g&#58; 2 replaced</code> |" in text
    assert text.count("<details>") == text.count("</details>") == 3
    assert "✅" in markdown_of(Compared("f", "x", ()))
    assert "no difference" in markdown_of(Compared("f", "x", ()))


# -- hostile values ----------------------------------------------------------------------------------------------------

HOSTILE = [
    "```\n</details><script>alert(1)</script>",
    "`````````\n# heading",
    "@everyone @octocat please merge #1 !2 GH-3",
    "</code></summary></details><img src=x onerror=alert(1)>",
    "a | b | c\n|---|---|",
    "[click](https://example.org) ![x](https://example.org/x.png) https://example.org",
    "<!-- herdsman -->",
    "*bold* _it_ ~~no~~ $x^2$ :smile:",
    "\x1b[31mred\x1b[0m\x07\x00\x08",
    "right\u202eleft\u2028next\u0085",
    "]]>&amp;&lt;",
    "\ud800",
]


def hostile(value: str) -> tuple[Compared, Checked]:
    """What was found, with *value* wherever a spec or Nomad may put something."""
    key = Key(WEB.kind, value, value)
    plan = Plan(
        key,
        Decision(Action.HOLD, Reason.DRIFTED, value),
        changes=(FieldChange(value, value, value),),
        updates={value: GroupUpdates(destructive=1)},
        failures={value: value},
        warnings=value,
    )
    refused = Plan(Key(WEB.kind, "n", value), Decision(Action.NOTHING, Reason.REFUSED, value))
    place = Position(value, 1, 1)
    rejections = (Rejection(place, value, value, value, None), Rejection(place, value, value, value, WEB))
    compared = Compared(value, value, (plan, refused), {key: place}, rejections, (value,), value, value)
    return compared, Checked(value, {key: place}, rejections, rejections)


def outside_of_fences(text: str) -> str:
    """Markdown without what stands in fenced blocks, as CommonMark finds them; fails where a fence is left open."""
    left, fence = [], ""
    for line in text.split("\n"):
        opened = re.match(r"(`{3,})", line)
        if fence:
            if opened and len(opened[1]) >= len(fence) and not line.strip("`"):
                fence = ""
        elif opened:
            fence = opened[1]
        else:
            left.append(line)
    assert not fence
    return "\n".join(left)


ALLOWED = re.compile(r"</?(?:code|details|summary)>|<!-- herdsman -->")


def check_markdown(text: str) -> None:
    """No markup but ours, every block closed, and what came from others only inside code."""
    outside = outside_of_fences(text)
    assert outside.count("<!--") == 1
    assert "<" not in ALLOWED.sub("", outside)
    assert text.count("\x1b") == 0
    own = re.sub(r"<code>.*?</code>", "", outside)
    assert not re.search(r"[@\[\]*~$`]|https?:|#\d", own)
    for inside in re.findall(r"<code>(.*?)</code>", outside):
        assert re.fullmatch(r"(?:[\w …→]|&#\d+;)*", inside)
        assert all(c.isprintable() for c in unescape(inside))
    rows = [line for line in outside.split("\n") if line.startswith("|")]
    assert {row.count("|") for row in rows} <= {3, 6}


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_breaks_out_of_markdown(value: str) -> None:
    """No HTML, no link, no mention, no heading, no new row, no open fence."""
    for found in hostile(value):
        check_markdown(markdown_of(found))


LINE = re.compile(r"fleet |note: |warning: |x |[-~+=!? ] \w| {4}|.*:1:1: ")
"""How a line of text may begin."""


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("`~<>|@#[]()*_\\\n\r&;:/!-"), st.characters()), max_size=60))
def test_no_text_at_all_breaks_out(value: str) -> None:
    """Markdown stays as it is meant, XML can be read, a terminal sees no control character."""
    for found in hostile(value):
        check_markdown(markdown_of(found))
        ET.fromstring(junit_of(found))
        assert all(c.isprintable() or c == "\n" for c in text_of(found))
        assert all(LINE.match(line) for line in text_of(found).split("\n"))


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_breaks_xml_or_a_terminal(value: str) -> None:
    """The same for the other two."""
    for found in hostile(value):
        assert {c.tag for c in ET.fromstring(junit_of(found)).iter()} <= {
            "testsuites",
            "testsuite",
            "testcase",
            "failure",
            "system-out",
        }
        assert all(c.isprintable() or c == "\n" for c in text_of(found))


@pytest.mark.parametrize(("specs", "length"), [(5000, 10), (300, 5000), (1, 300_000), (2000, 200)])
def test_a_comment_is_never_too_long(specs: int, length: int) -> None:
    """Whatever does not fit is left out and counted, and what is there is whole."""
    plans = tuple(
        Plan(
            job_key("default", f"job-{n}-" + "x<" * 40),
            Decision(Action.UPDATE, Reason.SPEC_CHANGED),
            changes=(FieldChange("Env[A]", "", "v`" * (length // 2)),) * 3,
        )
        for n in range(specs)
    )
    rejections = tuple(Rejection(Position(f"{n}.yaml", 1), "<" * length) for n in range(specs))
    for found in (Compared("f", "x", plans, {}, rejections, ("n" * length,)), Checked("f", {}, rejections)):
        text = markdown_of(found)
        assert len(text) <= LIMIT
        check_markdown(text)
        assert text.count("<details>") == text.count("</details>")
        if specs > 1000:
            assert "left out" in text or "more." in text
