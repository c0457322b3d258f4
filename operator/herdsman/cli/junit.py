"""What was found as JUnit XML: one test case for each spec, a failure for what was rejected or could not be judged.

The dialect is what GitLab, GitHub's reporters and Jenkins read: `testsuites/testsuite/testcase/failure`.
"""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from herdsman.cli.reports import Checked, Compared, details, plain, title
from herdsman.core.blast import Effect, effect
from herdsman.model.desired import Position, Rejection
from herdsman.model.keys import Key


def junit_of(found: Checked | Compared) -> str:
    """The text for either command."""
    return junit_of_checked(found) if isinstance(found, Checked) else junit_of_compared(found)


def junit_of_checked(found: Checked) -> str:
    """A case for each spec; what stands in no spec is a case of its file."""
    by_key: dict[Key | None, list[Rejection]] = {}
    for error in found.errors:
        by_key.setdefault(error.key, []).append(error)
    suite = ET.Element("testsuite", name="herdsman validate")
    for key in sorted({*found.specs, *(k for k in by_key if k is not None)}):
        wrong = by_key.get(key, [])
        _case(suite, key, wrong[0].position if wrong else found.specs[key], wrong)
    _orphans(suite, by_key.get(None, []))
    warnings = [plain(str(w)) for w in found.warnings]
    if warnings:
        ET.SubElement(suite, "system-out").text = "\n".join(warnings)
    return _written(suite)


def junit_of_compared(found: Compared) -> str:
    """A case for each spec that is shown; what is held is told, and is no failure."""
    suite = ET.Element("testsuite", name="herdsman diff")
    by_key: dict[Key | None, list[Rejection]] = {}
    for rejection in found.rejections:
        by_key.setdefault(rejection.key, []).append(rejection)
    planned = {p.key: p for p in found.plans}
    for key in sorted({*planned, *(k for k in by_key if k is not None)}):
        plan, wrong = planned.get(key), by_key.get(key, [])
        place = wrong[0].position if wrong else found.places.get(key, Position(""))
        case = _case(suite, key, place, wrong)
        if plan is None:
            continue
        if effect(plan) is Effect.FAILED and not wrong:
            _fail(case, f"{_at(place)}{plain(plan.decision.message)}", plan.decision.reason.value)
        elif not wrong:
            ET.SubElement(case, "system-out").text = "\n".join([title(plan), *details(plan)])
    _orphans(suite, by_key.get(None, []))
    ET.SubElement(suite, "system-out").text = plain(found.headline)
    return _written(suite)


def _case(suite: ET.Element, key: Key, place: Position, wrong: Sequence[Rejection]) -> ET.Element:
    scope = f"{key.kind}.{key.namespace}" if key.namespace else key.kind.value
    case = ET.SubElement(suite, "testcase", classname=plain(scope), name=plain(key.name), time="0")
    if place.path:
        case.set("file", plain(place.path))
    if place.line:
        case.set("line", str(place.line))
    for one in wrong:
        _fail(case, plain(str(one)), "rejected")
    return case


def _orphans(suite: ET.Element, found: Iterable[Rejection]) -> None:
    """What is wrong where nobody knows which spec it is."""
    for one in found:
        path = plain(one.position.path) or "the source"
        case = ET.SubElement(suite, "testcase", classname="file", name=path, time="0", file=path)
        _fail(case, plain(str(one)), "rejected")


def _fail(case: ET.Element, words: str, kind: str) -> None:
    ET.SubElement(case, "failure", message=words, type=kind).text = words


def _at(place: Position) -> str:
    return f"{plain(str(place))}: " if place.path else ""


def _written(suite: ET.Element) -> str:
    cases = suite.findall("testcase")
    counts = {"tests": len(cases), "failures": sum(c.find("failure") is not None for c in cases), "errors": 0}
    root = ET.Element("testsuites", name="herdsman")
    for element in (root, suite):
        for name, number in counts.items():
            element.set(name, str(number))
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
