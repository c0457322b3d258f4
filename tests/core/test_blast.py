"""How far plans reach: counted by what they would do to what runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.blast import FAILURES, Blast, Effect, blast, effect, reach, replaced, summary
from herdsman.model.keys import job_key
from herdsman.model.observed import GroupUpdates
from herdsman.model.plans import WRITES, Action, Decision, Plan, Reason

KEY = job_key("default", "web")


def plan(action: Action, reason: Reason, **updates: GroupUpdates) -> Plan:
    """A plan of that decision."""
    return Plan(KEY, Decision(action, reason), updates=updates or None)


IN_PLACE = plan(Action.UPDATE, Reason.SPEC_CHANGED, g=GroupUpdates(in_place=2, place=1))
REPLACING = plan(Action.UPDATE, Reason.SPEC_CHANGED, g=GroupUpdates(destructive=1, ignore=4))
CANARY = plan(Action.UPDATE, Reason.SPEC_CHANGED, g=GroupUpdates(canary=1, ignore=3))
HELD = plan(Action.HOLD, Reason.NEEDS_APPROVAL, g=GroupUpdates(destructive=2))

CASES = [
    (plan(Action.CREATE, Reason.MISSING, g=GroupUpdates(place=2)), Effect.CREATE, Blast(creates=1)),
    (plan(Action.UPDATE, Reason.DRIFTED), Effect.IN_PLACE, Blast(in_place=1)),
    (IN_PLACE, Effect.IN_PLACE, Blast(in_place=1)),
    (REPLACING, Effect.DESTRUCTIVE, Blast(destructive=1, replaced=5)),
    (CANARY, Effect.DESTRUCTIVE, Blast(destructive=1, replaced=3)),
    (plan(Action.STOP, Reason.UNWANTED), Effect.STOP, Blast(stops=1)),
    (plan(Action.PURGE, Reason.UNWANTED), Effect.PURGE, Blast(purges=1)),
    (plan(Action.ADOPT, Reason.ADOPTED), Effect.ADOPT, Blast(adopts=1)),
    (HELD, Effect.HELD, Blast(held={Reason.NEEDS_APPROVAL: 1})),
    (plan(Action.HOLD, Reason.REFUSED), Effect.HELD, Blast(held={Reason.REFUSED: 1})),
    (plan(Action.NOTHING, Reason.REFUSED), Effect.FAILED, Blast(failed=1)),
    (plan(Action.NOTHING, Reason.UNAVAILABLE), Effect.FAILED, Blast(failed=1)),
    (plan(Action.NOTHING, Reason.IN_SYNC), Effect.NOTHING, Blast()),
    (plan(Action.NOTHING, Reason.COMPLETED), Effect.NOTHING, Blast()),
]


@pytest.mark.parametrize(("one", "expected", "radius"), CASES)
def test_each_plan_has_one_effect(one: Plan, expected: Effect, radius: Blast) -> None:
    """Every decision counts in one place, and allocations only where they are replaced."""
    assert effect(one) is expected
    assert blast([one]) == radius


def test_a_rolling_update_replaces_all_in_the_end() -> None:
    """A plan names the first batch and ignores the rest for now; a group without any is not counted."""
    updates = {"a": GroupUpdates(destructive=1, ignore=4), "b": GroupUpdates(ignore=7), "c": GroupUpdates(in_place=3)}

    assert replaced(updates) == 5
    assert reach(REPLACING) == "g: 1 replaced; 5 replaced in the end"
    assert reach(IN_PLACE) == "g: 2 updated in place, 1 placed"


def test_the_summary_names_what_is_gravest_first() -> None:
    """One line, without what is not there; one allocation is not several."""
    plans = [case[0] for case in CASES]

    assert summary(blast(plans)) == (
        "1 to purge, 1 to stop, 2 to replace (8 allocations), 2 to update in place, 1 to create,"
        " 1 to adopt without a write, 2 held (1 NeedsApproval, 1 Refused), 2 that cannot be judged"
    )
    assert summary(blast([plan(Action.UPDATE, Reason.DRIFTED, g=GroupUpdates(destructive=1))])) == (
        "1 to replace (1 allocation)"
    )
    assert summary(Blast()) == ""


plans = st.builds(
    plan,
    st.sampled_from(Action),
    st.sampled_from(Reason),
    g=st.builds(GroupUpdates, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
)


@given(st.lists(plans))
def test_nothing_is_counted_twice_and_nothing_is_lost(found: list[Plan]) -> None:
    """The counts come to the number of plans that do something; every write or hold is a difference."""
    radius = blast(found)
    counted = radius.creates + radius.in_place + radius.destructive + radius.stops + radius.purges + radius.adopts
    counted += radius.failed + sum(radius.held.values())

    assert counted == sum(effect(p) is not Effect.NOTHING for p in found)
    assert radius.differs == any(p.decision.action in WRITES or p.decision.action is Action.HOLD for p in found)
    assert radius.failed == sum(p.decision.action is Action.NOTHING and p.decision.reason in FAILURES for p in found)
