"""What `validate` and `diff` found, as values, and its renderings: text for people, JSON for programs.

Markdown and JUnit have files of their own. Whatever comes from a spec or from Nomad may be hostile: it is shown without
control characters, so that no value can move a reader's cursor or break a line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from herdsman.core.blast import Blast, Effect, blast, effect, reach, summary
from herdsman.core.words import sentence
from herdsman.model.desired import Position, Rejection
from herdsman.model.keys import Key
from herdsman.model.plans import Plan

DIFF_FORMAT = "herdsman.diff/v1"
VALIDATE_FORMAT = "herdsman.validate/v1"
"""What the JSON says it is. Fields may be added without a new number, none is renamed or dropped."""

SIGNS: Mapping[Effect, str] = {
    Effect.PURGE: "-",
    Effect.STOP: "-",
    Effect.DESTRUCTIVE: "~",
    Effect.IN_PLACE: "~",
    Effect.CREATE: "+",
    Effect.ADOPT: "=",
    Effect.HELD: "!",
    Effect.FAILED: "?",
    Effect.NOTHING: " ",
}

ORDER = tuple(Effect)
"""The gravest first: the order in which plans are shown."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What `validate` found. *specs* are all that were understood, by key."""

    fleet: str
    specs: Mapping[Key, Position]
    errors: tuple[Rejection, ...] = ()
    warnings: tuple[Rejection, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.errors)


@dataclass(frozen=True, slots=True)
class Compared:
    """What `diff` found. *against* says in words what was taken for live; *notes* are what a reader should know of it.

    *plans* are those to be shown, *rejections* those that count: with a base, the new ones.
    """

    fleet: str
    against: str
    plans: tuple[Plan, ...]
    places: Mapping[Key, Position] = field(default_factory=dict)
    rejections: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()
    base: str = ""
    base_commit: str = ""

    @property
    def blast(self) -> Blast:
        """The blast radius."""
        return blast(self.plans)

    @property
    def failed(self) -> bool:
        """Whether something could not be judged."""
        return bool(self.rejections) or self.blast.failed > 0

    @property
    def result(self) -> str:
        """`error`, `differs` or `same`."""
        return "error" if self.failed else "differs" if self.blast.differs else "same"

    @property
    def headline(self) -> str:
        """The blast radius in one line."""
        broken = f"{len(self.rejections)} rejected" if self.rejections else ""
        return ", ".join(w for w in (broken, summary(self.blast)) if w) or "no difference"

    def ordered(self) -> list[Plan]:
        """The plans, the gravest first."""
        return sorted(self.plans, key=lambda p: (ORDER.index(effect(p)), p.key))


def plain(text: str) -> str:
    """*text* on one line, without what is not to be seen."""
    return "".join(c if c.isprintable() else "⏎" if c == "\n" else "?" for c in text)


def named(key: Key) -> str:
    """A key as people say it: `Job default/web`."""
    return plain(f"{key.kind} {'/'.join(p for p in (key.namespace, key.name) if p)}")


def details(plan: Plan) -> Iterator[str]:
    """What there is to say of a plan beyond its decision, a line each."""
    if plan.decision.message and not plan.decision.writes:
        yield plain(plan.decision.message)
    for change in plan.changes:
        yield plain(sentence(change))
    for group, why in sorted((plan.failures or {}).items()):
        yield plain(f"group {group} cannot be placed: {why}")
    for warning in plan.warnings.splitlines():
        yield plain(f"warning: {warning}")


def title(plan: Plan) -> str:
    """A plan in one line: `Job default/web: update (SpecChanged) [web: 2 replaced]`."""
    radius = plain(reach(plan))
    reason, action = plan.decision.reason, effect(plan)
    return f"{named(plan.key)}: {action} ({reason})" + (f" [{radius}]" if radius else "")


def text_of(found: Checked | Compared) -> str:
    """For a terminal."""
    return text_of_checked(found) if isinstance(found, Checked) else text_of_compared(found)


def json_of(found: Checked | Compared) -> dict[str, Any]:
    """For programs: the shape that deploy/ci/README.md describes."""
    return json_of_checked(found) if isinstance(found, Checked) else json_of_compared(found)


# -- text --------------------------------------------------------------------------------------------------------------


def text_of_compared(found: Compared) -> str:
    """For a terminal: the blast radius first."""
    lines = [f"fleet {plain(found.fleet)} against {plain(found.against)}: {found.headline}"]
    lines += [f"note: {plain(n)}" for n in found.notes]
    lines += [f"x {plain(str(r))}" for r in found.rejections]
    for plan in found.ordered():
        lines.append(f"{SIGNS[effect(plan)]} {title(plan)}")
        lines += [f"    {line}" for line in details(plan)]
    return "\n".join(lines)


def text_of_checked(found: Checked) -> str:
    """For a terminal: what is wrong, then the count."""
    lines = [plain(str(r)) for r in found.errors]
    lines += [f"warning: {plain(str(r))}" for r in found.warnings]
    return "\n".join([*lines, f"fleet {plain(found.fleet)}: {len(found.specs)} specs, {len(found.errors)} errors"])


# -- JSON --------------------------------------------------------------------------------------------------------------


def json_of_compared(found: Compared) -> dict[str, Any]:
    """Of `diff`."""
    radius = found.blast
    return {
        "format": DIFF_FORMAT,
        "result": found.result,
        "fleet": found.fleet,
        "against": found.against,
        "base": {"ref": found.base, "commit": found.base_commit} if found.base else None,
        "blastRadius": {
            "creates": radius.creates,
            "inPlace": radius.in_place,
            "destructive": radius.destructive,
            "replacedAllocations": radius.replaced,
            "stops": radius.stops,
            "purges": radius.purges,
            "adopts": radius.adopts,
            "failed": radius.failed,
            "held": {reason.value: n for reason, n in radius.held.items()},
        },
        "plans": [_plan(p, found.places) for p in found.ordered()],
        "rejections": [_rejection(r) for r in found.rejections],
        "notes": list(found.notes),
    }


def _plan(plan: Plan, places: Mapping[Key, Position]) -> dict[str, Any]:
    place = places.get(plan.key, Position(""))
    updates = plan.updates or {}
    return {
        **_key(plan.key),
        "path": place.path,
        "line": place.line,
        "effect": effect(plan).value,
        "action": plan.decision.action.value,
        "reason": plan.decision.reason.value,
        "message": plan.decision.message,
        "changes": [{"path": c.path, "old": c.old, "new": c.new} for c in plan.changes],
        "reach": reach(plan),
        "updates": {name: {f: getattr(u, f) for f in u.__slots__} for name, u in sorted(updates.items())},
        "failures": dict(plan.failures or {}),
        "warnings": plan.warnings.splitlines(),
    }


def _key(key: Key | None) -> dict[str, Any]:
    if key is None:
        return {"kind": None, "namespace": None, "name": None}
    return {"kind": key.kind.value, "namespace": key.namespace, "name": key.name}


def _rejection(found: Rejection) -> dict[str, Any]:
    at = found.position
    return {
        **_key(found.key),
        "path": at.path,
        "line": at.line,
        "column": at.column,
        "field": found.field,
        "message": found.message,
        "hint": found.hint,
    }


def json_of_checked(found: Checked) -> dict[str, Any]:
    """Of `validate`."""
    return {
        "format": VALIDATE_FORMAT,
        "result": "error" if found.failed else "valid",
        "fleet": found.fleet,
        "specs": len(found.specs),
        "errors": [_rejection(r) for r in found.errors],
        "warnings": [_rejection(r) for r in found.warnings],
    }
