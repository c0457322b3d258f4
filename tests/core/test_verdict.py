"""How a commit fares: what is told of it, and when it is told that a person must act."""

import pytest

from harness import Harness, fleet_document, group, job_document
from herdsman.core.verdict import verdict
from herdsman.errors import NomadError, Refused, Unavailable
from herdsman.model.keys import Key
from herdsman.model.writes import CommitState


def fares(harness: Harness) -> tuple[str, str]:
    """State and words for what the harness wants and has."""
    found = verdict(harness.view.desired, harness.store.statuses())
    return found.state.value, found.words


def fleet(*names: str) -> Harness:
    """A harness with those jobs, not yet turned."""
    jobs: dict[str, str | bytes] = {f"{n}.yaml": job_document(n, TaskGroups=[group()]) for n in names}
    return Harness({"fleet.yaml": fleet_document(), **jobs})


def test_all_live_is_success() -> None:
    """Before that, it says how many are to go."""
    harness = fleet("web", "db")
    harness.load()
    assert fares(harness) == ("pending", "2 of 2 to go: db, web")
    harness.sync()
    assert fares(harness) == ("success", "all 2 specs are live")


def test_a_new_commit_is_pending_until_it_is_applied() -> None:
    """What was live before says nothing of what is wanted now."""
    harness = fleet("web")
    harness.sync()
    harness.files["web.yaml"] = job_document("web", TaskGroups=[group(count=2)])
    harness.load()
    assert fares(harness) == ("pending", "1 of 1 to go: web")
    harness.work()
    assert fares(harness)[0] == "success"


def test_what_is_not_understood_fails_with_its_place() -> None:
    """The first error stands in the line, the others are counted."""
    harness = fleet("web")
    harness.files |= {"bad.yaml": "kind: [", "worse.yaml": "kind: ["}
    harness.sync()
    state, words = fares(harness)
    assert state == "failure"
    assert words.startswith("not understood: bad.yaml:")
    assert words.endswith(", and 1 more")


@pytest.mark.parametrize(
    ("error", "state"), [(Refused("no such driver"), "failure"), (Unavailable("connection refused"), "pending")]
)
def test_a_refusal_fails_and_an_outage_waits(error: NomadError, state: str) -> None:
    """Only what a person must see to is a failure."""
    harness = fleet("web")

    def fault(name: str, _key: Key | None) -> None:
        if name == "register":
            raise error

    harness.nomad.fault = fault
    harness.sync()
    assert fares(harness)[0] == state
    assert "web (" in fares(harness)[1]


def test_many_are_counted() -> None:
    """A line stays a line."""
    harness = fleet(*(f"job-{n}" for n in range(9)))
    harness.load()
    assert fares(harness) == ("pending", "9 of 9 to go: job-0, job-1, job-2 and 6 more")


def test_what_waits_for_a_person_is_pending() -> None:
    """An approval is not a failure of the commit."""
    harness = fleet("web")
    harness.sync()
    changed = group()
    changed["Tasks"][0]["Env"] = {"A": "2"}
    harness.files["web.yaml"] = job_document("web", policy={"destructive": "approve"}, TaskGroups=[changed])
    harness.sync()
    assert fares(harness) == (CommitState.PENDING.value, "1 of 1 to go: web (NeedsApproval)")
