"""From what came of a look to what a reader sees: conditions, their times, and what is carried over."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.report import differs, report
from herdsman.model.desired import DesiredJob, Origin, Policy, Position, Rejection
from herdsman.model.keys import job_key
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import ConditionType, ErrorClass, Health, Outcome, Status, Truth

KEY = job_key("default", "web")
T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
ORIGIN = Origin(Position("web.yaml", 3, 1), "r1", "me")
WANTED = DesiredJob(KEY, "d1", Policy(), ORIGIN, body=b"{}", labels={"team": "web"})
REJECTION = Rejection(Position("web.yaml", 7), "expected a mapping", key=KEY)
HEALTHY = Health(T, Reason.HEALTHY)
FINE = Outcome(KEY, Action.NOTHING, Reason.IN_SYNC, digest="d1", version=4, health=HEALTHY)


def told(
    outcome: Outcome, before: Status | None = None, *, wanted: DesiredJob | None = WANTED, now: float = 10.0
) -> Status:
    return report(before, outcome, wanted=wanted, rejection=None, now=now)


SYNCED = told(FINE)


def held(reason: Reason, message: str = "held") -> Outcome:
    return Outcome(KEY, Action.HOLD, reason, message, digest="d1", health=HEALTHY)


def failed(kind: ErrorClass, reason: Reason = Reason.UNAVAILABLE) -> Outcome:
    return Outcome(KEY, Action.NOTHING, reason, "what happened", error=kind, digest="d1")


@dataclass(frozen=True)
class Row:
    """One outcome after a status in sync, and the conditions that it leads to."""

    outcome: Outcome
    ready: tuple[Truth, Reason]
    synced: Truth
    healthy: Truth
    stalled: Truth = F
    suspended: Truth = F
    before: Status | None = SYNCED


PROGRESS = Health(U, Reason.PROGRESSING, "deploying, 1 of 2 healthy")
FAILING = Health(F, Reason.ALLOCATIONS_FAILING, "1 of 2 running")
ROWS: dict[str, Row] = {
    "in sync and healthy": Row(FINE, (T, Reason.HEALTHY), T, T),
    "in sync, in progress": Row(replace(FINE, health=PROGRESS), (U, Reason.PROGRESSING), T, U),
    "in sync, failing": Row(replace(FINE, health=FAILING), (F, Reason.ALLOCATIONS_FAILING), T, F),
    "periodic": Row(replace(FINE, health=Health(T, Reason.REGISTERED)), (T, Reason.HEALTHY), T, T),
    "finished": Row(
        Outcome(KEY, Action.NOTHING, Reason.COMPLETED, "done", health=Health(T, Reason.COMPLETED)),
        (T, Reason.COMPLETED),
        T,
        T,
    ),
    "just created": Row(
        Outcome(KEY, Action.CREATE, Reason.MISSING, wrote=True, health=PROGRESS), (U, Reason.PROGRESSING), T, U
    ),
    "just updated": Row(
        Outcome(KEY, Action.UPDATE, Reason.SPEC_CHANGED, wrote=True, health=PROGRESS), (U, Reason.PROGRESSING), T, U
    ),
    "adopted": Row(Outcome(KEY, Action.ADOPT, Reason.ADOPTED, health=HEALTHY), (T, Reason.HEALTHY), T, T),
    "held for approval": Row(held(Reason.NEEDS_APPROVAL), (F, Reason.NEEDS_APPROVAL), F, T),
    "held, and failing": Row(
        replace(held(Reason.OUTSIDE_WINDOW), health=FAILING), (F, Reason.OUTSIDE_WINDOW), F, F
    ),
    "waiting": Row(held(Reason.DEPENDENCY_NOT_READY), (F, Reason.DEPENDENCY_NOT_READY), F, T),
    "drifted": Row(held(Reason.DRIFTED), (F, Reason.DRIFTED), F, T),
    "reverted": Row(held(Reason.REVERTED_BY_NOMAD), (F, Reason.REVERTED_BY_NOMAD), F, T, stalled=T),
    "in a fight": Row(held(Reason.CIRCUIT_OPEN), (F, Reason.CIRCUIT_OPEN), F, T, stalled=T),
    "somebody else's": Row(held(Reason.NOT_OWNED), (F, Reason.NOT_OWNED), F, T, stalled=T),
    "somebody else's fleet": Row(held(Reason.FLEET_CONFLICT), (F, Reason.FLEET_CONFLICT), F, T, stalled=T),
    "suspended, in sync before": Row(held(Reason.SUSPENDED), (T, Reason.HEALTHY), T, T, suspended=T),
    "suspended, never looked at": Row(held(Reason.SUSPENDED), (U, Reason.SUSPENDED), U, T, suspended=T, before=None),
    "suspended, drifted before": Row(
        held(Reason.SUSPENDED), (F, Reason.DRIFTED), F, T, suspended=T, before=told(held(Reason.DRIFTED))
    ),
    "Nomad is away": Row(failed(ErrorClass.TRANSIENT), (U, Reason.UNAVAILABLE), U, T),
    "somebody was faster": Row(failed(ErrorClass.CONFLICT, Reason.CONFLICT), (U, Reason.CONFLICT), U, T),
    "a bug": Row(failed(ErrorClass.BUG, Reason.INTERNAL_ERROR), (U, Reason.INTERNAL_ERROR), U, T),
    "refused": Row(failed(ErrorClass.REFUSED, Reason.REFUSED), (F, Reason.REFUSED), F, T, stalled=T),
    "forbidden": Row(failed(ErrorClass.REFUSED, Reason.FORBIDDEN), (F, Reason.FORBIDDEN), F, T, stalled=T),
    "away from the start": Row(failed(ErrorClass.TRANSIENT), (U, Reason.UNAVAILABLE), U, U, before=None),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_conditions_of_a_wanted_key(row: Row) -> None:
    """Ready is the first of Synced and Healthy that is not true, with its reason; the others stand on their own."""
    status = told(row.outcome, row.before)
    said = {kind: condition.status for kind, condition in status.conditions.items()}

    assert (status.conditions[ConditionType.READY].status, status.reason) == row.ready
    assert said[ConditionType.SYNCED] is row.synced
    assert said[ConditionType.HEALTHY] is row.healthy
    assert said[ConditionType.STALLED] is row.stalled
    assert said[ConditionType.SUSPENDED] is row.suspended
    assert status.ready is (row.ready[0] is T)


UNWANTED: dict[str, tuple[Outcome, Reason]] = {
    "kept": (Outcome(KEY, Action.NOTHING, Reason.KEPT, "kept", health=HEALTHY), Reason.KEPT),
    "stopped": (Outcome(KEY, Action.STOP, Reason.UNWANTED, wrote=True, health=HEALTHY), Reason.UNWANTED),
    "held": (held(Reason.PRUNE_LIMIT), Reason.PRUNE_LIMIT),
    "incomplete": (held(Reason.DESIRED_INCOMPLETE), Reason.DESIRED_INCOMPLETE),
}


@pytest.mark.parametrize(("outcome", "reason"), UNWANTED.values(), ids=UNWANTED.keys())
def test_what_is_wanted_no_more_is_not_ready(outcome: Outcome, reason: Reason) -> None:
    """However well the live job does."""
    status = told(outcome, SYNCED, wanted=None)

    assert not status.ready
    assert status.reason is reason
    assert not status.wanted


def test_a_rejected_spec_is_told_with_its_place() -> None:
    """Its status points to the file and line of the error, and it counts as wanted."""
    outcome = Outcome(KEY, Action.HOLD, Reason.INVALID, "web.yaml:7: expected a mapping")
    status = report(SYNCED, outcome, wanted=None, rejection=REJECTION, now=20.0)

    assert status.wanted
    assert status.position == REJECTION.position
    assert (status.reason, status.conditions[ConditionType.STALLED].status) == (Reason.INVALID, T)


# -- times and what is carried over ------------------------------------------------------------------------------------


def test_a_time_moves_when_the_status_does() -> None:
    """`since` says when a condition came to be what it is: other words or another reason do not move it."""
    first = told(replace(FINE, health=PROGRESS), now=10.0)
    second = told(replace(FINE, health=Health(U, Reason.PAUSED, "paused")), first, now=20.0)
    third = told(FINE, second, now=30.0)

    healthy = [s.conditions[ConditionType.HEALTHY].since for s in (first, second, third)]
    synced = [s.conditions[ConditionType.SYNCED].since for s in (first, second, third)]
    assert healthy == [10.0, 10.0, 30.0]
    assert synced == [10.0, 10.0, 10.0]


def test_errors_in_a_row_are_counted() -> None:
    """And forgotten after the first look without one."""
    status = told(failed(ErrorClass.TRANSIENT), told(failed(ErrorClass.BUG), SYNCED))

    assert status.failures == 2
    assert told(FINE, status).failures == 0


def test_an_error_takes_nothing_away() -> None:
    """Health, version, digest and the last change are as they were before Nomad went away."""
    before = told(Outcome(KEY, Action.UPDATE, Reason.SPEC_CHANGED, wrote=True, version=4, health=HEALTHY), now=5.0)
    after = told(failed(ErrorClass.TRANSIENT), before, now=50.0)

    assert after.conditions[ConditionType.HEALTHY] == before.conditions[ConditionType.HEALTHY]
    assert (after.version, after.digest, after.action, after.changed_at) == (4, "d1", Action.UPDATE, 5.0)


def test_the_revision_is_that_which_brought_the_digest() -> None:
    """A commit that did not touch this spec does not show as its revision; one that did, does."""
    later = replace(WANTED, origin=replace(ORIGIN, revision="r2"))
    changed = replace(later, digest="d2")

    same = told(FINE, SYNCED, wanted=later)
    other = told(FINE, SYNCED, wanted=changed)

    assert (SYNCED.revision, same.revision, other.revision) == ("r1", "r1", "r2")


def test_a_moved_file_shows_at_once() -> None:
    """Place, author and labels are those of the newest snapshot."""
    moved = replace(WANTED, origin=Origin(Position("b.yaml", 9), "r2", "you"), labels={})

    status = told(FINE, SYNCED, wanted=moved)

    assert (status.position.path, status.author, status.labels) == ("b.yaml", "you", {})


@pytest.mark.parametrize(
    ("outcome", "moves"),
    [
        (replace(FINE, wrote=False), False),
        (held(Reason.NEEDS_APPROVAL), False),
        (Outcome(KEY, Action.CREATE, Reason.MISSING, wrote=True), True),
        (Outcome(KEY, Action.ADOPT, Reason.ADOPTED), True),
    ],
)
def test_the_last_change_is_the_last_that_changed_something(outcome: Outcome, moves: bool) -> None:
    """A look, or a hold, is no change."""
    status = told(outcome, SYNCED, now=99.0)

    assert (status.changed_at == 99.0) is moves
    assert (status.action is outcome.action) is (moves or outcome.action is Action.NOTHING)


def test_looking_again_is_no_difference() -> None:
    """Only what a reader would see is written: the time of the look is not."""
    assert differs(None, SYNCED)
    assert not differs(SYNCED, told(FINE, SYNCED, now=9999.0))
    assert differs(SYNCED, told(held(Reason.DRIFTED), SYNCED))
    assert differs(SYNCED, replace(SYNCED, labels={}))


outcomes = st.sampled_from([r.outcome for r in ROWS.values()] + [o for o, _ in UNWANTED.values()])


@given(st.lists(st.tuples(outcomes, st.booleans(), st.floats(0, 100)), min_size=1, max_size=6))
def test_whatever_happens_the_conditions_hold_together(history: list[tuple[Outcome, bool, float]]) -> None:
    """Always all five; Ready only where Synced and Healthy are; no time in the future; told twice changes nothing."""
    status, now = None, 0.0
    for outcome, wanted, seconds in history:
        now += seconds
        status = told(outcome, status, wanted=WANTED if wanted else None, now=now)
        said = status.conditions
        assert said.keys() == set(ConditionType)
        if status.ready:
            assert said[ConditionType.SYNCED].status is said[ConditionType.HEALTHY].status is T
            assert wanted or outcome.action is Action.HOLD
        assert all(c.since <= now for c in said.values())
        again = told(replace(outcome, error=None), status, wanted=WANTED if wanted else None, now=now)
        if outcome.error is None:
            assert not differs(status, again)
