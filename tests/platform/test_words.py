"""Status words: each with a true reason, and none that promises what will not come."""

from typing import Any

import pytest

from herdsman.adapters.nomad.translate import why_not_placed
from herdsman.core.quota import Claim, held
from herdsman.model.desired import Order
from herdsman.model.keys import job_key
from herdsman.model.placements import Placement
from herdsman.model.plans import Reason
from herdsman.model.quotas import ONE, Demand, Quotas
from herdsman.model.statuses import Condition, ConditionType, Status, Truth
from herdsman.platform.words import Facts, Word, chosen, discreet, judge
from platforms import placement

KEY = job_key("lab", "d")
SHORT = why_not_placed({"NodesEvaluated": 3, "NodesExhausted": 3, "DimensionExhausted": {"memory": 3}})
MIXED = why_not_placed(
    {"NodesEvaluated": 3, "ConstraintFiltered": {"${attr.gpu} = T4": 2}, "DimensionExhausted": {"devices": 1}}
)
NEVER = why_not_placed({"NodesEvaluated": 3, "NodesFiltered": 3, "ConstraintFiltered": {"${attr.gpu} = T4": 3}})
NO_NODES = why_not_placed({"NodesEvaluated": 0, "NodesAvailable": {"dc1": 0}})


def status(reason: Reason, words: str = "", *, ready: bool = False) -> Status:
    """A status whose Ready condition says that."""
    truth = Truth.TRUE if ready else Truth.FALSE
    return Status(KEY, {ConditionType.READY: Condition(truth, reason, words)})


def order(*, stopped: bool = False) -> Order:
    """A deployment."""
    return Order(KEY, "modules/demo", "ada", stopped=stopped)


TABLE: list[tuple[str, dict[str, Any], Word, str]] = [
    ("nobody looked yet", {"status": None}, Word.QUEUED, "not looked at yet"),
    ("no room on any node", {"status": status(Reason.NOT_PLACED, SHORT)}, Word.QUEUED, "too little memory"),
    ("some full, some unfit", {"status": status(Reason.NOT_PLACED, MIXED)}, Word.QUEUED, "too little devices"),
    ("no node at all", {"status": status(Reason.NOT_PLACED, NO_NODES)}, Word.QUEUED, "no node is eligible"),
    ("fits no node ever", {"status": status(Reason.NOT_PLACED, NEVER)}, Word.ERROR, "ruled out by the constraint"),
    ("over quota", {"status": status(Reason.QUOTA_EXCEEDED, "owner ada has 2 of 2 GPUs")}, Word.QUEUED, "2 of 2 GPUs"),
    ("waits for another", {"status": status(Reason.DEPENDENCY_NOT_READY, "waits for x")}, Word.QUEUED, "waits for x"),
    ("refused", {"status": status(Reason.REFUSED, "bad job")}, Word.ERROR, "bad job"),
    ("rejected", {"status": None, "rejected": "spec.catalog: no"}, Word.ERROR, "spec.catalog: no"),
    ("not ours", {"status": status(Reason.NOT_OWNED, "belongs to x")}, Word.ERROR, "belongs to x"),
    ("Nomad is away", {"status": status(Reason.UNAVAILABLE, "no answer")}, Word.QUEUED, "no answer"),
    ("pulls its image", {"placement": placement(KEY, "pending", last_event="")}, Word.STARTING, "Exit Code"),
    ("runs", {"placement": placement(KEY)}, Word.RUNNING, ""),
    (
        "runs, its change waits",
        {"placement": placement(KEY), "status": status(Reason.NEEDS_APPROVAL, "waits for approval")},
        Word.RUNNING,
        "waits for approval",
    ),
    (
        "runs, and its spec is broken now",
        {"placement": placement(KEY), "rejected": "spec.parameters: no"},
        Word.RUNNING,
        "spec.parameters: no",
    ),
    ("its node is away", {"placement": placement(KEY, "unknown")}, Word.DOWN, "lost the connection"),
    ("its node is lost", {"placement": placement(KEY, "lost")}, Word.DOWN, "another place"),
    ("failed", {"placement": placement(KEY, "failed")}, Word.FAILED, "Exit Code: 1"),
    (
        "failed, and waits for another place",
        {"placement": placement(KEY, "failed"), "status": status(Reason.NOT_PLACED, SHORT)},
        Word.QUEUED,
        "too little memory",
    ),
    ("a batch job ended", {"placement": placement(KEY, "complete"), "batch": True}, Word.COMPLETE, ""),
    ("ended long ago", {"status": status(Reason.COMPLETED, ready=True)}, Word.COMPLETE, ""),
    ("a batch job failed", {"status": status(Reason.FAILED, "exit 2")}, Word.FAILED, "exit 2"),
    ("stopped", {"order": order(stopped=True), "placement": placement(KEY, "complete")}, Word.DEAD, "by its owner"),
    ("being stopped", {"order": order(stopped=True), "placement": placement(KEY)}, Word.RUNNING, ""),
    ("over", {"ended": "its time ended at noon", "status": status(Reason.EXPIRED)}, Word.DEAD, "its time ended"),
    ("stopped by hand", {"status": status(Reason.STOPPED, "stopped by hand")}, Word.DEAD, "stopped by hand"),
    ("healthy, not listed yet", {"status": status(Reason.HEALTHY, ready=True)}, Word.RUNNING, ""),
    ("rolls out, not listed yet", {"status": status(Reason.PROGRESSING, "0 of 1 healthy")}, Word.STARTING, "0 of 1"),
    ("fails, not listed yet", {"status": status(Reason.DEPLOYMENT_FAILED, "unhealthy")}, Word.FAILED, "unhealthy"),
]


@pytest.mark.parametrize(("facts", "word", "why"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_state_has_its_word_and_its_reason(facts: dict[str, Any], word: Word, why: str) -> None:
    """The word says how it does; the reason is what was found, and empty only where nothing is amiss."""
    base = {"order": order(), "status": status(Reason.HEALTHY, ready=True), "main": "main"}
    found = judge(Facts(**{**base, **facts}))

    assert found.word is word
    assert why in found.why
    assert bool(why) == bool(found.why)


@pytest.mark.parametrize(
    ("clients", "chosen_client"),
    [
        (["failed", "running"], "running"),
        (["running", "unknown"], "unknown"),
        (["pending", "failed"], "pending"),
        (["complete", "failed"], "failed"),
    ],
)
def test_the_allocation_that_counts_is_the_one_a_user_would_mean(clients: list[str], chosen_client: str) -> None:
    """One out of reach, else one that runs or begins to, else the newest."""
    made = [placement(KEY, c, id=str(n), created=n) for n, c in enumerate(clients)]
    found = chosen(made)

    assert isinstance(found, Placement)
    assert found.client == chosen_client
    assert chosen([]) is None


def test_words_about_a_full_namespace_tell_nothing_of_what_others_have() -> None:
    """Whose quota is full learns its own numbers; of the others, only that there is no room."""
    owner, new, other = job_key("lab", "a"), job_key("lab", "b"), job_key("lab", "c")
    has = Demand(deployments=1, memory=700)
    claims = [Claim(owner, "bob", 1.0, has, has), Claim(other, "eve", 1.0, has, has), Claim(new, "ada", 2.0, ONE)]
    words = held(claims, Quotas({"deployments": 2}, {"deployments": 1}))[new]

    assert "has 2 of 2" in words
    assert discreet(words) == "the namespace leaves no room within its 2 deployments"
    assert discreet("owner ada has 1 of 1 deployments") == "owner ada has 1 of 1 deployments"
