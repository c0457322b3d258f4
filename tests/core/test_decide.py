"""What must be true of every decision, said in words and tried on the whole world of facts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.facts import FOR_THE_UNWANTED, FOR_THE_WANTED, NAMES, WORDS, WORLD
from herdsman.core.decide import ROWS, Facts, decide
from herdsman.model.plans import WRITES, Action, Decision, Reason


def decided(*actions: Action) -> list[tuple[Facts, Decision]]:
    """The part of the world in which one of *actions* was decided."""
    found = [(f, d) for f, d in WORLD if d.action in actions]
    assert found, "a property of nothing proves nothing"
    return found


booleans = st.fixed_dictionaries({name: st.booleans() for name in NAMES})


@given(booleans, st.sampled_from(sorted(FOR_THE_UNWANTED | FOR_THE_WANTED)))
def test_what_is_for_others_does_not_matter(values: dict[str, bool], name: str) -> None:
    """Facts about writes change nothing for an unwanted key, facts about removals nothing for a wanted one."""
    values["wanted"] = name in FOR_THE_UNWANTED
    values["frozen"] = values["frozen"] and not values["wanted"]  # a key is one or the other
    said = {n: (n if v else "") if n in WORDS else v for n, v in values.items()}
    one = Facts(**said)  # type: ignore[arg-type]
    other = replace(one, **{name: ("" if said[name] else name) if name in WORDS else not said[name]})  # type: ignore[arg-type]

    assert decide(one) == decide(other)


def test_a_removal_needs_every_proof() -> None:
    """A stop or purge is always of something live, ours, unwanted, not suspended, claimed, understood, within limits
    and needed by nobody; but for a stop that its own spec asks for."""
    for facts, _ in decided(Action.STOP, Action.PURGE):
        assert facts.live
        assert facts.ours
        assert not facts.wanted or facts.halt
        assert not facts.suspended
        assert not facts.claimed
        assert not facts.frozen
        assert not facts.keep
        assert not facts.unread
        assert not facts.limited
        assert not facts.dependents


def test_what_is_only_to_be_stopped_is_never_purged() -> None:
    """`prune: stop` leaves the job, unless its time is over."""
    assert not any(facts.stop_only and not facts.expired for facts, _ in decided(Action.PURGE))


def test_nothing_is_written_while_it_is_forbidden() -> None:
    """No write happens under suspension, or while the fleet's name is not surely ours."""
    for facts, _ in decided(*WRITES):
        assert not facts.suspended
        assert not facts.claimed


def test_what_is_not_ours_is_only_changed_where_it_may_be_adopted() -> None:
    """A live job of somebody else is touched by an adoption alone, and never removed."""
    for facts, _ in decided(*WRITES, Action.ADOPT):
        assert facts.ours or not facts.live or (facts.wanted and facts.adoptable)


def test_an_update_is_of_something_that_differs_and_that_nothing_holds() -> None:
    """A job is only updated where it differs, and where neither policy, window, circuit nor dependency says no."""
    for facts, decision in decided(Action.UPDATE):
        assert facts.wanted
        assert facts.live
        if decision.reason is Reason.ROLLED_BACK:  # a person's word, once
            assert facts.rollback_due
            continue
        assert not facts.same
        assert not facts.reverted
        assert not facts.refused
        assert not facts.dependency
        assert not facts.unapproved
        assert not facts.closed
        assert facts.spec_changed or not (facts.warn_only or facts.circuit)


def test_a_creation_is_of_something_that_is_not_there() -> None:
    """What is live is never created, nor is a batch job that finished, nor what waits for something."""
    for facts, _ in decided(Action.CREATE):
        assert facts.wanted
        assert not facts.live
        assert not facts.finished
        assert not facts.halted
        assert not facts.refused
        assert not facts.dependency
        assert facts.spec_changed or not facts.circuit


def test_an_adoption_is_of_an_equal_job_of_nobody() -> None:
    """Adopting writes nothing, so what is adopted must be as the spec wants it."""
    for facts, _ in decided(Action.ADOPT):
        assert facts.live
        assert facts.same
        assert facts.adoptable
        assert not facts.ours


def test_every_hold_says_why() -> None:
    """Whoever waits reads a reason in words."""
    for _, decision in decided(Action.HOLD):
        assert decision.message


def test_a_hold_has_the_words_of_what_forbids_it() -> None:
    """The text of a fact is told as it is, by the row that heeds it."""
    for facts, decision in decided(Action.HOLD):
        if decision.message in WORDS:
            assert getattr(facts, decision.message) == decision.message


def test_a_decision_only_writes_where_its_action_does() -> None:
    """`Decision.writes` is true of creating, updating, stopping and purging, and of nothing else."""
    for _, decision in WORLD:
        assert decision.writes is (decision.action in {Action.CREATE, Action.UPDATE, Action.STOP, Action.PURGE})


def test_what_is_in_sync_is_left_alone() -> None:
    """Where the live job is ours and as wanted, nothing is ever written."""
    for facts, decision in WORLD:
        if facts.wanted and facts.live and facts.ours and facts.same and not (facts.halt or facts.rollback_due):
            assert not decision.writes


def test_every_row_decides_somewhere() -> None:
    """No row is dead."""
    assert {ROWS.index(next(row for row in ROWS if row.when(facts))) for facts, _ in WORLD} == set(range(len(ROWS)))


def test_the_last_row_holds_always() -> None:
    """The table has an answer to everything."""
    assert all(ROWS[-1].when(facts) for facts, _ in WORLD)


def test_a_rejected_spec_is_told_whoever_runs_its_name() -> None:
    """A spec that was rejected has a status that says so, also where the live job is somebody else's."""
    facts = Facts(wanted=False, live=True, ours=False, frozen="web.yaml:3: expected a mapping")

    assert decide(facts).reason is Reason.INVALID
