"""When a key is looked at again, after what came of the last look."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.retry import (
    CONFLICTS_AT_ONCE,
    FIRST,
    LONGEST,
    PROBE,
    WATCH,
    at,
    backoff,
    circuit,
    corrections,
    delay,
)
from herdsman.model.keys import job_key
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import ErrorClass, Health, Outcome, Truth

KEY = job_key("default", "web")
FINE = Outcome(KEY, Action.NOTHING, Reason.IN_SYNC, health=Health(Truth.TRUE, Reason.HEALTHY))
AWAY = Outcome(KEY, Action.NOTHING, Reason.UNAVAILABLE, error=ErrorClass.TRANSIENT)
chances = st.floats(0, 1, exclude_max=True)
failures = st.integers(1, 10_000)


@given(failures, chances)
def test_a_backoff_is_bounded(count: int, chance: float) -> None:
    """However often it fails: at least half the first wait, at most the longest."""
    assert FIRST / 2 <= backoff(count, chance) <= LONGEST


@given(failures, chances)
def test_a_backoff_never_shrinks(count: int, chance: float) -> None:
    """One failure more waits no shorter, with the same luck."""
    assert backoff(count + 1, chance) >= backoff(count, chance)


@given(failures, chances)
def test_jitter_takes_at_most_half(count: int, chance: float) -> None:
    """Many keys that fail together do not come back together, and none comes back at once."""
    assert backoff(count, 0.0) * 2 >= backoff(count, chance) >= backoff(count, 0.0) > 0


def test_a_backoff_grows_by_doubling() -> None:
    """1, 2, 4, 8 … 256, 300 seconds, less the jitter."""
    assert [backoff(n, 0.0) * 2 for n in range(1, 11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]


def ended(kind: ErrorClass, **more: float) -> Outcome:
    return replace(AWAY, error=kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "count", "expected"),
    [
        (ended(ErrorClass.CONFLICT), 1, 0.0),
        (ended(ErrorClass.CONFLICT), CONFLICTS_AT_ONCE, 0.0),
        (ended(ErrorClass.CONFLICT), CONFLICTS_AT_ONCE + 1, 4.0),
        (ended(ErrorClass.TRANSIENT), 1, 0.5),
        (ended(ErrorClass.TRANSIENT), 4, 4.0),
        (ended(ErrorClass.TRANSIENT, retry_after=30.0), 1, 30.0),
        (ended(ErrorClass.TRANSIENT, retry_after=1.0), 9, 128.0),
        (ended(ErrorClass.REFUSED), 1, PROBE),
        (ended(ErrorClass.REFUSED), 50, PROBE),
        (ended(ErrorClass.BUG), 1, 0.5),
        (ended(ErrorClass.BUG), 50, LONGEST / 2),
    ],
)
def test_an_error_is_tried_again_by_its_class(outcome: Outcome, count: int, expected: float) -> None:
    """A conflict at once, a passing failure with back-off, a refusal as a slow probe, a bug with back-off."""
    assert delay(outcome, failures=count, chance=0.0) == expected


@given(chances)
def test_a_probe_is_not_of_all_keys_at_once(chance: float) -> None:
    """Refused keys come back spread over a minute."""
    assert PROBE <= (delay(ended(ErrorClass.REFUSED), failures=1, chance=chance) or 0) <= PROBE * 1.1


def test_a_retry_interval_is_heeded() -> None:
    """A spec may say how often a passing failure is tried again; a refusal and a bug are not its to say."""
    assert delay(AWAY, failures=9, chance=0.5, retry_interval=7.0) == 7.0
    assert delay(ended(ErrorClass.REFUSED), failures=9, chance=0.0, retry_interval=7.0) == PROBE
    assert delay(ended(ErrorClass.BUG), failures=1, chance=0.0, retry_interval=7.0) == 0.5


def test_nomads_own_wish_goes_over_a_retry_interval() -> None:
    """A 429 that says when to come back is heeded, whatever the spec says."""
    away = replace(AWAY, retry_after=60.0)

    assert (delay(away, failures=1, chance=0.0, retry_interval=5.0) or 0) >= 60.0


def held(reason: Reason) -> Outcome:
    return Outcome(KEY, Action.HOLD, reason, "held", health=Health(Truth.TRUE, Reason.HEALTHY))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (FINE, None),
        (replace(FINE, health=None), None),
        (replace(FINE, health=Health(Truth.FALSE, Reason.ALLOCATIONS_FAILING)), None),
        (replace(FINE, health=Health(Truth.UNKNOWN, Reason.PROGRESSING)), WATCH),
        (Outcome(KEY, Action.CREATE, Reason.MISSING, health=Health(Truth.UNKNOWN, Reason.PROGRESSING)), WATCH),
        (Outcome(KEY, Action.STOP, Reason.UNWANTED, health=Health(Truth.UNKNOWN, Reason.PROGRESSING)), None),
        (Outcome(KEY, Action.PURGE, Reason.UNWANTED), None),
        (held(Reason.DEPENDENCY_NOT_READY), 30.0),
        (held(Reason.OUTSIDE_WINDOW), 60.0),
        (held(Reason.SUSPENDED), None),
        (held(Reason.NEEDS_APPROVAL), None),
        (held(Reason.PRUNE_LIMIT), None),
    ],
)
def test_after_a_look_without_error(outcome: Outcome, expected: float | None) -> None:
    """What progresses is watched, what waits for a clock or another spec comes back, the rest waits for a resync."""
    assert delay(outcome, failures=0, chance=0.9) == expected


# -- the circuit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "now", "open_"),
    [
        ((), 1000.0, False),
        (tuple(range(9)), 100.0, False),
        (tuple(range(10)), 100.0, True),
        (tuple(range(10)), 299.9, True),
        (tuple(range(10)), 300.0, False),
        (tuple(range(20)), 305.0, True),
    ],
)
def test_the_circuit_opens_after_ten_corrections_in_five_minutes(
    times: tuple[float, ...], now: float, open_: bool
) -> None:
    """And closes as they grow old."""
    assert bool(circuit(times, now=now)) is open_


@given(st.lists(st.floats(0, 1000), max_size=20), st.floats(0, 2000))
def test_old_corrections_count_no_more(times: list[float], now: float) -> None:
    """Only what happened within the interval is left."""
    left = corrections(tuple(times), now=now)

    assert left == tuple(t for t in times if now - t < 300.0)


def test_an_open_circuit_says_what_to_do() -> None:
    """Numbers as they are, and both ways out."""
    said = circuit(tuple(range(10)), now=10.0)

    assert "10 times within 5 min" in said
    assert "approve" in said


def test_a_time_is_written_as_readers_do() -> None:
    """UTC, to the second."""
    assert at(1_767_268_800.9) == "2026-01-01T12:00:00Z"
