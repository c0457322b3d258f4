"""The wipe guard: how much may be removed in one round, and what becomes of the rest."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.prune import PruneRound, limit, next_round, why_held
from herdsman.model.desired import PruneLimits
from herdsman.model.keys import Key, job_key

NOW, WINDOW = 1_000_000.0, 60.0
LIMITS = PruneLimits()


def keys(numbers: Iterable[int]) -> frozenset[Key]:
    return frozenset(job_key("default", f"job-{n}") for n in numbers)


def decide(
    last: PruneRound, unwanted: Iterable[int], *, owned: int = 10, limits: PruneLimits = LIMITS, now: float = NOW
) -> PruneRound:
    """One decision about a fleet of *owned* jobs, of which *unwanted* are wanted no more."""
    return next_round(
        last, unwanted=keys(unwanted), owned=keys(range(owned)), limits=limits, now=now, window=WINDOW
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "owned", "expected"),
    [
        (PruneLimits(), 0, 5),
        (PruneLimits(), 10, 5),
        (PruneLimits(), 25, 5),
        (PruneLimits(), 30, 6),
        (PruneLimits(), 1000, 200),
        (PruneLimits(percent=0, count=0), 1000, 0),
        (PruneLimits(percent=100, count=0), 7, 7),
    ],
)
def test_the_limit_is_the_larger_of_share_and_number(limits: PruneLimits, owned: int, expected: int) -> None:
    """20 % or five jobs by default, whichever is more."""
    assert limit(limits, owned) == expected


@pytest.mark.parametrize(
    ("unwanted", "owned", "allowed", "held"),
    [
        ([], 10, [], []),
        ([1], 10, [1], []),
        (range(5), 10, range(5), []),
        (range(6), 10, [], range(6)),
        (range(10), 10, [], range(10)),
        ([0], 1, [], [0]),
        (range(2), 2, [], range(2)),
        ([0], 2, [0], []),
        (range(20), 100, range(20), []),
        (range(21), 100, [], range(21)),
    ],
)
def test_one_round(unwanted: Iterable[int], owned: int, allowed: Iterable[int], held: Iterable[int]) -> None:
    """Within the limit all may go, beyond it none, and never the last."""
    decided = decide(PruneRound(), unwanted, owned=owned)

    assert decided.allowed == dict.fromkeys(keys(allowed), NOW)
    assert decided.held == keys(held)


def test_single_removals_add_up_within_a_window() -> None:
    """A directory emptied file by file counts as a whole."""
    decided = PruneRound()
    for n in range(8):
        decided = decide(decided, range(n + 1), now=NOW + n)

    assert decided.allowed.keys() == keys(range(5))
    assert decided.held == keys([5, 6, 7])


def test_what_is_gone_counts_until_the_window_is_over() -> None:
    """A removal that was carried out is one of the round, though its job is not there any more."""
    decided = decide(PruneRound(), range(5))
    left = keys(range(5, 10))

    within = next_round(
        decided, unwanted=keys([5]), owned=left, limits=LIMITS, now=NOW + WINDOW - 1, window=WINDOW
    )  # fmt: skip
    after = next_round(decided, unwanted=keys([5]), owned=left, limits=LIMITS, now=NOW + WINDOW, window=WINDOW)

    assert within.held == keys([5])
    assert after.allowed.keys() == keys([5])


def test_what_may_go_stays_allowed_until_it_went() -> None:
    """A removal that Nomad refused is not asked about again."""
    decided = decide(PruneRound(), [1])

    assert decide(decided, [1], now=NOW + 1000 * WINDOW).allowed == decided.allowed


def test_what_is_held_stays_held() -> None:
    """Time alone lets nothing through, and neither does the approval of others."""
    decided = decide(PruneRound(), range(7))

    assert decide(decided, range(7), now=NOW + 1000 * WINDOW).held == keys(range(7))
    assert decide(decided, range(4, 7), owned=10, now=NOW + 1000 * WINDOW).held == keys(range(4, 7))


def test_what_is_wanted_again_is_held_no_more() -> None:
    """A spec that comes back ends its hold; if it goes again, that is a round of its own."""
    decided = decide(PruneRound(), range(7))

    back = decide(decided, range(6))
    assert back.held == keys(range(6))
    again = decide(back, range(7), now=NOW + 2 * WINDOW)
    assert again.allowed.keys() == keys([6])


def test_a_second_batch_of_the_same_minute_is_held_with_the_first() -> None:
    """What becomes unwanted within a window counts together: when that is too much, all that is not gone is held."""
    decided = decide(PruneRound(), range(6))

    decided = decide(decided, range(9), now=NOW + 1)

    assert decided.held == keys(range(9))


def test_a_higher_limit_lets_go_what_it_covers() -> None:
    """`why_held` says to raise the Fleet's `spec.prune`: that must help."""
    decided = decide(PruneRound(), range(7))

    decided = decide(decided, range(7), limits=PruneLimits(count=9), now=NOW + 1)

    assert decided.allowed.keys() == keys(range(7))


# -- the guard as a property -------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.sets(st.integers(0, 11)), st.integers(0, 40)), max_size=8)


@given(steps, st.integers(0, 6), st.sampled_from([0, 20, 50]))
def test_no_window_ever_removes_more_than_the_limit(
    history: list[tuple[set[int], int]], count: int, percent: int
) -> None:
    """Whatever becomes unwanted when, and however fast it goes: within any window the limit holds, and one is left."""
    limits, decided, now = PruneLimits(percent=percent, count=count), PruneRound(), NOW
    owned, gone = keys(range(12)), dict[Key, float]()
    for unwanted, seconds in history:
        now += seconds
        last = decided
        decided = next_round(
            last, unwanted=keys(unwanted) & owned, owned=owned, limits=limits, now=now, window=WINDOW
        )  # fmt: skip
        gone |= dict.fromkeys(decided.allowed.keys() & owned - last.allowed.keys(), now)
        owned -= decided.allowed.keys()
        recent = [t for t in gone.values() if now - t < WINDOW]
        base = len(owned) + len(recent)
        assert len(recent) <= limit(limits, base) or not decided.allowed.keys() - last.allowed.keys()
        assert owned, "never to zero"
        assert not decided.held & decided.allowed.keys()


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_hold_says_how_many_and_what_to_do() -> None:
    """Counts of this fleet, its limit, and both ways out."""
    assert why_held(LIMITS, held=7, owned=10) == (
        "7 of 10 would be removed, more than 5 at once; approve each removal, or raise spec.prune of the Fleet"
    )


def test_a_hold_of_all_says_so() -> None:
    """Raising the limit does not help there, so it is not offered."""
    said = why_held(LIMITS, held=10, owned=10)

    assert "nothing would be left of the fleet's 10" in said
    assert "spec.prune" not in said


def test_a_hold_after_others_went_counts_them() -> None:
    """Five went in this minute, and the sixth is held: "1 of 5, more than 5 at once" makes no sense to a reader."""
    said = why_held(LIMITS, held=1, owned=5)

    assert "1 of 5 would be removed, more than 5" not in said
