"""What `validate` and `diff` find out: specs alone, or beside what is live.

With a base, both sides are planned against the same live side, and what comes out the same on both is not the branch's
doing. With a base and nothing live, the base itself is: as if all that it asks for had been carried out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from herdsman import bootstrap, settings
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.exports import read_export
from herdsman.adapters.hcl import volatile
from herdsman.cli.bases import Base, at_rest, base_of
from herdsman.cli.previews import Preview, Still, against_export, against_live, still, understood
from herdsman.cli.reports import Checked, Compared
from herdsman.cli.snapshots import Judged, doubts
from herdsman.core.blast import Effect, effect
from herdsman.errors import NomadError
from herdsman.model.desired import Desired, DesiredJob, Position, Rejection
from herdsman.model.keys import Key

# -- specs alone -------------------------------------------------------------------------------------------------------


def checked(directory: Path, fleet: str) -> Checked:
    """What is wrong, or doubtful, in the specs in *directory*. Raises `SourceError` where they cannot be read."""
    desired, judged = understood(still(directory), fleet=fleet)
    errors, warnings = list(desired.rejections), list[Rejection]()
    for _, wanted in sorted(desired.wanted.items()):
        if isinstance(wanted, DesiredJob):
            wrong, doubtful = _judged(wanted, judged)
            errors += wrong
            warnings += doubtful
    specs = {key: wanted.origin.position for key, wanted in desired.wanted.items()}
    return Checked(desired.fleet.name, specs, tuple(errors), tuple(warnings))


def _judged(wanted: DesiredJob, judged: Judged) -> tuple[list[Rejection], list[Rejection]]:
    """Errors and warnings that only show when a job is read as Nomad would read it."""
    try:
        doubtful = [_placed(wanted, f"Nomad would warn: {w}") for w in doubts(judged.parse(wanted))]
    except NomadError as error:
        return _refused(wanted, error), []
    names = volatile(wanted.hcl.text) if wanted.hcl is not None else []
    words = (f"{name}() answers something else each time the jobspec is parsed" for name in names)
    return [], [*doubtful, *(_placed(wanted, w) for w in words)]


_PREFIX = "Failed to parse job: "
_PLACE = re.compile(r"([^\s:]+):(?:(\d+):(?:(\d+):)?)? ")


def _refused(wanted: DesiredJob, error: NomadError) -> list[Rejection]:
    """A parser may find several faults at once, each on a line and with a place of its own."""
    lines = [line for line in error.message.removeprefix(_PREFIX).splitlines() if line.strip()]
    if all(_place(wanted, line) for line in lines):
        return [_placed(wanted, line, error.hint) for line in lines]
    return [_placed(wanted, error.message, error.hint)]


def _placed(wanted: DesiredJob, message: str, hint: str = "") -> Rejection:
    """A rejection of one job: at the place that *message* begins with, else where the spec is."""
    place = _place(wanted, message)
    if place is None:
        return Rejection(wanted.origin.position, message, field=wanted.key.name, hint=hint, key=wanted.key)
    at = Position(place[1], int(place[2] or 0), int(place[3] or 0))
    return Rejection(at, message[place.end() :], hint=hint, key=wanted.key)


def _place(wanted: DesiredJob, message: str) -> re.Match[str] | None:
    known = {wanted.origin.position.path, wanted.hcl.path if wanted.hcl is not None else ""}
    place = _PLACE.match(message)
    return place if place is not None and place[1] in known else None


# -- specs beside what is live -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Live:
    """What specs are compared with; *preview* makes the plans for some of them. *fleet* is a name where none is given.

    *rest* is set where it is the base that is taken for live: what that asks for.
    """

    name: str
    fleet: str
    preview: Callable[[Still], Preview]
    notes: tuple[str, ...] = ()
    rest: Desired | None = None


def compared(
    directory: Path, *, against: str | None, base: str | None, nomad: str | None, fleet: str | None, everything: bool
) -> Compared:
    """What the specs in *directory* would change. Raises `HerdsmanError` where one side cannot be read at all."""
    began = base_of(directory.absolute(), base) if base is not None else None
    if against is None and began is not None:
        live = _at_base(began, fleet or "default")
    elif against in (None, "live"):
        live = _cluster(nomad, fleet or "default")
    else:
        live = _exported(Path(str(against)), fleet)
    now = live.preview(still(directory))
    notes = (*live.notes, *now.notes, *filter(None, [now.desired.blocked]))
    found = Compared(now.desired.fleet.name, live.name, now.plans, now.places, now.desired.rejections, notes)
    if began is not None:
        found = _of_branch(found, now, live, began)
    rejected = {r.key for r in found.rejections}
    shown = (p for p in found.plans if p.key not in rejected and (everything or effect(p) is not Effect.NOTHING))
    return replace(found, plans=tuple(shown))


def _cluster(nomad: str | None, fleet: str) -> Live:
    cluster = bootstrap.cluster(settings.load({"nomad": nomad}))
    return Live("the live cluster", fleet, lambda source: against_live(source, cluster, fleet=fleet))


def _exported(file: Path, fleet: str | None) -> Live:
    export = read_export(file)
    name, taken = fleet or export.header.fleet, export.header.taken
    age = (SystemClock().now() - datetime.fromisoformat(taken)).days
    old = f"{file.name} is {age} days old: what has changed in the cluster since then is not known"

    def preview(source: Still) -> Preview:
        made = against_export(source, export, fleet=name)
        if made.desired.fleet.name == export.header.fleet:
            return made
        other = f"{file.name} is of the fleet {export.header.fleet}, the specs declare {made.desired.fleet.name}"
        return replace(made, notes=(*made.notes, other))

    return Live(f"{file.name} of {taken}", name, preview, (old,) if age > 1 else ())


def _at_base(began: Base, fleet: str) -> Live:
    desired, judged = understood(Still(began.snapshot, began.ref), fleet=fleet)
    rest = at_rest(desired, judged)
    words = f"{len(rest.unknown)} specs cannot be used at {began.ref}: what runs of them counts as nothing"
    notes = (words,) if rest.unknown else ()
    return Live(
        f"the specs at {began.ref}",
        fleet,
        lambda source: against_export(source, rest.export, fleet=fleet),
        notes,
        rest=desired,
    )


# -- what a branch changes ---------------------------------------------------------------------------------------------


def _of_branch(found: Compared, now: Preview, live: Live, began: Base) -> Compared:
    """*found* without what is the same where the branch began."""
    if live.rest is not None:
        before = Preview(live.rest)  # all was at rest: every plan is the branch's
        changed = {p.key for p in now.plans if not (p.key in live.rest.frozen and _same(p.key, live.rest, now.desired))}
    else:
        before = live.preview(Still(began.snapshot, began.ref))
        decided = {p.key: p.decision for p in before.plans}
        changed = {p.key for p in now.plans if decided.get(p.key) != p.decision}
        changed |= _wished_anew(before.desired, now.desired)
    rejections = _new(before.desired.rejections, found.rejections)
    left_out = len(found.rejections) - len(rejections)
    notes = (
        began.note,
        *(f"at {began.ref}: {warning}" for warning in began.snapshot.warnings),
        f"{left_out} more specs cannot be used, as before" if left_out else "",
    )
    return replace(
        found,
        plans=tuple(p for p in found.plans if p.key in changed),
        rejections=rejections,
        notes=(*found.notes, *filter(None, notes)),
        base=began.ref,
        base_commit=began.commit,
    )


def _wished_anew(before: Desired, now: Desired) -> set[Key]:
    keys = before.wanted.keys() | now.wanted.keys() | before.frozen.keys() | now.frozen.keys()
    return {k for k in keys if not _same(k, before, now)}


def _same(key: Key, before: Desired, now: Desired) -> bool:
    """Whether both sides wish the same of *key*."""
    return _wish(before, key) == _wish(now, key)


def _wish(desired: Desired, key: Key) -> object:
    """What of a wish makes a difference: not where it stands."""
    wanted, frozen = desired.wanted.get(key), desired.frozen.get(key)
    if wanted is None:
        return None if frozen is None else (frozen.message, frozen.field)
    return (wanted.digest, wanted.policy, wanted.depends_on)


def _new(before: tuple[Rejection, ...], now: tuple[Rejection, ...]) -> tuple[Rejection, ...]:
    """The rejections that were not there before; one that only moved within its file was."""
    seen = {_unplaced(r) for r in before}
    return tuple(r for r in now if _unplaced(r) not in seen)


def _unplaced(rejection: Rejection) -> Rejection:
    return replace(rejection, position=Position(rejection.position.path))
