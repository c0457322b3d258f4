"""Deployments in the loop: quotas, time, rest, versions, and the variables that they and others bring along."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from core.test_deployments import CATALOG, HCL, NEWER, catalog, deployment, variable
from harness import Harness, fleet_document, job_document, sealed
from herdsman.errors import Forbidden, NomadError
from herdsman.model.catalog import Catalog
from herdsman.model.keys import Key, job_key, namespace_key, variable_key
from herdsman.model.observed import STAMP
from herdsman.model.plans import Action, Reason

WEB, D = job_key("default", "web"), job_key("default", "d")
SECRETS = variable_key("default", "nomad/jobs/web")
FLEET = fleet_document(namespaces=["*"])


def harness(*documents: str, **files: str) -> Harness:
    one = Harness(
        {"fleet.yaml": FLEET, "a.yaml": "---\n".join(documents), **{f"{n}.yaml": t for n, t in files.items()}}
    )
    one.catalog = CATALOG
    return one


def quotas(**owner: int) -> str:
    spec = {"quotas": {"owner": owner}, "policy": {"adopt": "always"}}
    return yaml.safe_dump(
        {"apiVersion": "herdsman/v1", "kind": "Namespace", "metadata": {"name": "default"}, "spec": spec}
    )  # fmt: skip


def running(one: Harness) -> set[str]:
    return {key.name for key, found in one.nomad.jobs.items() if not found.body["Stop"]}


def at(second: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).isoformat()


# -- quotas ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [True, False])
def test_of_many_exactly_as_many_run_as_the_quota_allows(at_once: bool) -> None:
    """In one snapshot or in one after the other, and though the later ones say that they are older."""
    one = harness(quotas(deployments=10))
    for n in range(60):
        one.files[f"d{n:02}.yaml"] = deployment(f"d{n:02}", createdAt=at(1000 - n))
        if not at_once:
            one.load()
    one.sync()

    assert len(running(one)) == 10
    held = [k for k, s in one.store.statuses().items() if s.reason is Reason.QUOTA_EXCEEDED]
    assert len(held) == 50
    assert "has 10 of 10 deployments" in str(one.status(held[0]).conditions)
    if at_once:
        assert running(one) == {f"d{n:02}" for n in range(50, 60)}


def test_whoever_was_let_in_keeps_its_place_before_its_job_is_there() -> None:
    """A spec that comes while the first is being created, and is older, does not come in beside it."""
    one = harness(quotas(deployments=1), deployment("young", createdAt=at(9)))
    one.load()
    one.relist()
    assert one.view.scene(job_key("default", "young")).over_quota == ""
    one.files["old.yaml"] = deployment("old", createdAt=at(1))
    one.sync()

    assert running(one) == {"young"}


def test_a_place_that_becomes_free_goes_to_the_next() -> None:
    """At once, not at the next resync."""
    one = harness(quotas(deployments=1), a=deployment("a", createdAt=at(1)), b=deployment("b", createdAt=at(2)))
    one.files["c.yaml"] = job_document("c")
    del one.files["a.yaml"]
    one.files["first.yaml"] = quotas(deployments=1)
    one.files["one.yaml"] = deployment("a", createdAt=at(1))
    one.sync()
    assert running(one) == {"a", "c"}
    del one.files["one.yaml"]
    one.load()
    one.work()

    assert running(one) == {"b", "c"}


def test_a_lowered_quota_stops_nothing_and_holds_what_grows() -> None:
    """What runs stays, may shrink and change, and may not grow."""
    more = {"parameters": {"hardware": {"count": 2}}}
    one = harness(quotas(memory=900), deployment("web", **more))
    one.sync()
    one.files["a.yaml"] = "---\n".join([quotas(memory=100), deployment("web", **more)])
    one.sync()
    assert (one.reason(WEB), running(one)) == ("Healthy", {"web"})

    one.files["a.yaml"] = "---\n".join([quotas(memory=100), deployment("web", parameters={"hardware": {"count": 3}})])
    one.sync()
    assert one.reason(WEB) == "QuotaExceeded"
    assert one.nomad.jobs[WEB].body["TaskGroups"][0]["Count"] == 2

    one.files["a.yaml"] = "---\n".join([quotas(memory=100), deployment("web")])
    one.sync()
    assert (one.reason(WEB), one.nomad.jobs[WEB].body["TaskGroups"][0]["Count"]) == ("Healthy", 1)


def test_the_process_that_comes_after_knows_who_was_in() -> None:
    """With and without its state file, what runs keeps its place before those who say that they are older."""
    for lose_state in (False, True):
        one = harness(quotas(deployments=1), deployment("web", createdAt=at(9)))
        one.sync()
        one.files["old.yaml"] = deployment("old", createdAt=at(1))
        one.restart(lose_state=lose_state)
        one.sync()

        assert running(one) == {"web"}
        assert one.reason(job_key("default", "old")) == "QuotaExceeded"


def test_at_rest_no_jobspec_is_parsed_for_a_quota() -> None:
    """What a job asks for is remembered with its last write."""
    one = harness(quotas(memory=9000), *(deployment(f"d{n}") for n in range(5)))
    one.sync()
    one.restart()
    one.view._admission._body = lambda wanted: pytest.fail("parsed again")
    one.sync()

    assert running(one) == {f"d{n}" for n in range(5)}


def test_a_mistake_in_the_document_that_limits_lifts_no_limit() -> None:
    """While nobody can read the quotas, nobody is let in."""
    one = harness(quotas(deployments=1), deployment("web"))
    one.sync()
    one.files["a.yaml"] = "---\n".join([quotas(deployments=1).replace("owner:", "ower:"), deployment("web")])
    one.files["d.yaml"] = deployment("d")
    one.sync()

    assert one.reason(D) == "QuotaExceeded"
    assert "not known" in str(one.status(D).conditions)
    assert running(one) == {"web"}


# -- time --------------------------------------------------------------------------------------------------------------


def for_ten_minutes(one: Harness, name: str = "web", **spec: Any) -> str:
    return deployment(name, createdAt=one.clock.now().isoformat(), expiresAfter="10m", **spec)


def pass_time(one: Harness, seconds: float) -> None:
    one.clock.advance(seconds)
    one.work()


def test_a_deployment_whose_time_is_over_is_purged_at_that_moment() -> None:
    """Nothing but the time makes the look due; its file still stands, and its status says what became of it."""
    one = harness(job_document("d"))
    one.files["web.yaml"] = for_ten_minutes(one)
    one.sync()
    pass_time(one, 500)
    assert running(one) == {"web", "d"}
    pass_time(one, 100)

    assert running(one) == {"d"}
    assert (one.reason(WEB), one.status(WEB).ready) == ("Expired", False)
    assert (one.store.history(WEB)[0].action, one.store.history(WEB)[0].reason) == (Action.PURGE, Reason.EXPIRED)
    assert one.nomad.kept.keys() == {("default", "herdsman/fleets/f")}, "its secrets went with it"
    assert one.writes_during(one.sync) == []

    del one.files["web.yaml"]
    one.sync()
    assert one.store.status(WEB) is None


def test_more_time_in_the_spec_brings_it_back() -> None:
    """What is wanted again is created again."""
    one = harness(job_document("d"))
    one.files["web.yaml"] = for_ten_minutes(one)
    one.sync()
    pass_time(one, 601)
    one.files["web.yaml"] = for_ten_minutes(one)
    one.sync()

    assert running(one) == {"web", "d"}


@pytest.mark.parametrize("policy", ["keep", "stop"])
def test_time_counts_whatever_the_prune_policy(policy: str) -> None:
    """That one is for specs which are gone."""
    one = harness(job_document("d"))
    one.files["web.yaml"] = for_ten_minutes(one, policy={"prune": policy})
    one.sync()
    pass_time(one, 601)

    assert WEB not in one.nomad.jobs


def test_planned_removals_do_not_count_but_guards_hold() -> None:
    """Twenty may go by their time; that leaves an empty checkout's removals as guarded as ever."""
    one = harness(*(job_document(f"j{n}") for n in range(3)))
    for n in range(20):
        one.files[f"d{n}.yaml"] = for_ten_minutes(one, f"d{n}")
    one.sync()
    pass_time(one, 601)
    assert running(one) == {"j0", "j1", "j2"}

    one.files["a.yaml"] = ""
    one.sync()
    assert running(one) == {"j0", "j1", "j2"}, "nothing would be left"


def test_a_clock_that_went_wrong_does_not_empty_a_fleet() -> None:
    """Where everything there is would go by its time, and that is much, a person is asked; and may say yes."""
    one = harness()
    for n in range(20):
        one.files[f"d{n}.yaml"] = for_ten_minutes(one, f"d{n}")
    one.sync()
    one.clock.advance(86_400 * 3650)
    one.sync()
    assert len(running(one)) == 20
    assert one.reason(job_key("default", "d0")) == "PruneLimit"

    one.operator.approve(job_key("default", "d0"), by="me")
    one.work()
    assert "d0" not in running(one)


def test_a_source_that_is_written_to_keeps_what_may_just_be_given_more_time() -> None:
    """As with every removal."""
    one = harness(job_document("d"))
    one.files["web.yaml"] = for_ten_minutes(one)
    one.sync()
    one.clock.advance(601)
    one.settled = False
    one.sync()
    assert running(one) == {"web", "d"}
    one.settled = True
    one.sync()
    assert running(one) == {"d"}


def test_a_place_that_time_makes_free_goes_to_the_next() -> None:
    """Nobody needs to commit anything."""
    one = harness(quotas(deployments=1))
    one.files["web.yaml"] = for_ten_minutes(one)
    one.files["d.yaml"] = deployment("d", createdAt="2099-01-01T00:00:00Z")
    one.sync()
    assert (running(one), one.reason(D)) == ({"web"}, "QuotaExceeded")
    pass_time(one, 601)

    assert running(one) == {"d"}


# -- rest --------------------------------------------------------------------------------------------------------------


def test_a_stopped_deployment_rests_and_comes_back_as_its_spec_then_says() -> None:
    """It is stopped once, left alone whatever changes, and then started with what changed meanwhile."""
    one = harness(deployment())
    one.sync()
    one.files["a.yaml"] = deployment(stopped=True)
    assert [name for name, _ in one.writes_during(one.sync)] == ["stop"]
    assert (one.reason(WEB), one.status(WEB).ready, running(one)) == ("Stopped", True, set())

    one.files["a.yaml"] = deployment(stopped=True, parameters={"hardware": {"count": 2}})
    assert one.writes_during(one.sync) == []
    one.nomad.collect_garbage()
    assert one.writes_during(one.sync) == []
    assert one.reason(WEB) == "Stopped"

    one.files["a.yaml"] = deployment(parameters={"hardware": {"count": 2}})
    one.sync()
    assert (one.reason(WEB), one.nomad.jobs[WEB].body["TaskGroups"][0]["Count"]) == ("Healthy", 2)


@pytest.mark.parametrize("policy", ["revert", "respect"])
def test_a_deployment_that_was_stopped_starts_whatever_the_policy(policy: str) -> None:
    """Its spec stopped it, so no policy about people who stop things has a say; also if it stood before."""
    one = harness(deployment(policy={"stopped": policy}))
    one.sync()
    one.nomad.foreign_stop(WEB)
    one.files["a.yaml"] = deployment(policy={"stopped": policy}, stopped=True)
    one.sync()
    one.files["a.yaml"] = deployment(policy={"stopped": policy})
    one.sync()

    assert running(one) == {"web"}


def test_a_deployment_that_begins_stopped_is_not_created() -> None:
    """Until its spec says otherwise."""
    one = harness(deployment(stopped=True))
    one.sync()
    assert (one.nomad.jobs, one.reason(WEB)) == ({}, "Stopped")
    one.files["a.yaml"] = deployment()
    one.sync()

    assert running(one) == {"web"}


# -- versions of an entry ----------------------------------------------------------------------------------------------


def test_a_pinned_deployment_outlives_its_version_in_the_catalog() -> None:
    """The version that it was ordered from is kept, also over a restart; without the state file it stays as it is."""
    digest = CATALOG.entries["modules/web"].digest
    one = harness(deployment(upgrade="pin", template=digest), deployment("d"))
    one.sync()
    one.catalog = NEWER
    one.restart()
    writes = one.writes_during(one.sync)
    assert writes == [("register", D)]

    one.files["a.yaml"] = "---\n".join(
        [deployment(upgrade="pin", template=digest, parameters={"hardware": {"count": 2}}), deployment("d")]
    )
    one.sync()
    task = one.nomad.jobs[WEB].body["TaskGroups"][0]
    assert (task["Count"], task["Tasks"][0]["Driver"]) == (2, "mock_driver")

    one.restart(lose_state=True)
    assert one.writes_during(one.sync) == []
    assert (one.reason(WEB), running(one)) == ("Invalid", {"web", "d"})


def test_an_upgrade_waits_for_its_window() -> None:
    """A change of the user's own does not wait: it is made with the version that runs."""
    windows = [{"schedule": "0 22 * * *", "duration": "2h"}]
    one = harness(deployment(upgrade="window"))
    one.files["fleet.yaml"] = fleet_document(windows=windows)
    one.sync()
    one.catalog = NEWER
    while not 8 <= one.clock.now().hour < 20:
        one.clock.advance(3600)
    one.files["a.yaml"] = deployment(upgrade="window", parameters={"hardware": {"count": 2}})
    one.sync()
    group = one.nomad.jobs[WEB].body["TaskGroups"][0]
    assert (group["Count"], group["Tasks"][0]["Driver"]) == (2, "mock_driver")

    while one.clock.now().hour != 22:
        one.clock.advance(1800)
    one.sync()
    assert one.nomad.jobs[WEB].body["TaskGroups"][0]["Tasks"][0]["Driver"] == "raw_exec"


def test_a_catalog_that_is_gone_leaves_its_deployments_running() -> None:
    """They are frozen with their secrets, and told."""
    one = harness(deployment())
    one.sync()
    one.catalog = Catalog(problem="the network is down")
    assert one.writes_during(one.sync) == []
    assert (one.reason(WEB), running(one)) == ("Invalid", {"web"})
    one.catalog = catalog(HCL + "\n")
    one.sync()

    assert one.reason(WEB) == "Healthy"


# -- variables ---------------------------------------------------------------------------------------------------------

V = variable_key("default", "a/b")
TWO = variable("a/b", items={"one": "1", "two": "2"})


def items(one: Harness, key: Key = V) -> dict[str, str]:
    return dict(one.nomad.kept[key.namespace, key.name].items)


def test_a_variable_is_written_once_and_then_costs_one_list_call() -> None:
    """At rest nothing is read and nothing is written."""
    one = harness(TWO)
    one.sync()
    assert items(one) == {"one": "1", "two": "2", STAMP: "f: one two"}
    assert (one.reason(V), one.status(V).ready) == ("Healthy", True)
    one.sync()
    before = len(one.nomad.calls)
    assert one.writes_during(one.sync) == []
    assert ("variable", V) not in one.nomad.calls[before:]


@pytest.mark.parametrize("keep_stamp", [True, False])
def test_drift_is_corrected_and_the_items_of_others_are_left_alone(keep_stamp: bool) -> None:
    """Also where whoever wrote it threw away what says whose it is."""
    one = harness(TWO)
    one.sync()
    stamp = {STAMP: "f: one two"} if keep_stamp else {}
    one.nomad.foreign_put("a/b", {"one": "an altered text", "mine": "x", **stamp})
    one.sync()

    assert items(one) == {"one": "1", "two": "2", "mine": "x", STAMP: "f: one two"}
    assert "an altered text" not in "".join(map(str, one.events))


@pytest.mark.parametrize("lose_state", [True, False])
def test_an_item_that_is_wanted_no_more_goes_and_others_stay(lose_state: bool) -> None:
    """What is ours is told by the variable itself, so a lost state file loses nothing."""
    one = harness(TWO)
    one.sync()
    one.nomad.foreign_put("a/b", {**items(one), "mine": "x"})
    one.restart(lose_state=lose_state)
    one.files["a.yaml"] = variable("a/b", items={"two": "2"})
    one.sync()

    assert items(one) == {"two": "2", "mine": "x", STAMP: "f: two"}


def test_a_variable_goes_with_its_spec_and_leaves_what_is_of_others() -> None:
    """It is removed with its last item alone."""
    one = harness(job_document("d"), w=TWO, x=variable("c", items={"k": "v"}))
    one.sync()
    one.nomad.foreign_put("a/b", {**items(one), "mine": "x"})
    del one.files["w.yaml"], one.files["x.yaml"]
    one.sync()
    one.clock.advance(120)
    one.sync()

    assert items(one) == {"mine": "x"}
    assert ("default", "c") not in one.nomad.kept
    assert one.store.status(V) is None


@pytest.mark.parametrize(
    ("policy", "live", "reason", "after"),
    [
        ({}, {"one": "x"}, "NotOwned", {"one": "x"}),
        ({}, {"one": "1"}, "NotOwned", {"one": "1"}),
        ({}, {"mine": "x"}, "Healthy", {"mine": "x", "one": "1", "two": "2", STAMP: "f: one two"}),
        ({"adopt": "if-equal"}, {"one": "x"}, "NotOwned", {"one": "x"}),
        ({"adopt": "if-equal"}, {"one": "1"}, "Healthy", {"one": "1", "two": "2", STAMP: "f: one two"}),
        ({"adopt": "always"}, {"one": "x"}, "Healthy", {"one": "1", "two": "2", STAMP: "f: one two"}),
        ({"adopt": "always"}, {"one": "x", STAMP: "other: one"}, "NotOwned", {"one": "x", STAMP: "other: one"}),
    ],
)
def test_items_that_are_there_already_are_taken_over_as_the_policy_says(
    policy: dict[str, str], live: dict[str, str], reason: str, after: dict[str, str]
) -> None:
    """To add to a variable takes nothing over; another fleet's is never touched."""
    one = harness(variable("a/b", items={"one": "1", "two": "2"}, policy=policy))
    one.nomad.foreign_put("a/b", live)
    one.sync()

    assert (one.reason(V), items(one)) == (reason, after)


def test_a_lost_answer_is_found_again() -> None:
    """The write was made, and nobody heard of it: no second one is."""
    one = harness(TWO)
    lost = iter(["lost"])
    one.nomad.fault = lambda name, key: next(lost, None) if name == "put_variable" and key == V else None
    one.sync()

    assert (one.reason(V), [w for w in one.nomad.writes if w == ("put_variable", "a/b")]) == (
        "Healthy",
        [("put_variable", "a/b")],
    )


def test_a_conflict_is_looked_at_again() -> None:
    """Somebody else writes between look and write: both writes count."""
    one = harness(TWO)
    one.sync()
    one.files["a.yaml"] = variable("a/b", items={"one": "new", "two": "2"})
    meddled = iter([True])

    def meddle(name: str, key: Key | None) -> NomadError | str | None:
        if name == "put_variable" and key == V and next(meddled, False):
            one.nomad.foreign_put("a/b", {**items(one), "mine": "x"})
        return None

    one.nomad.fault = meddle
    one.sync()
    assert items(one) == {"one": "new", "two": "2", "mine": "x", STAMP: "f: one two"}


def test_a_token_that_may_list_no_variables_reads_each() -> None:
    """Nothing else suffers from it."""
    one = harness(TWO, job_document("d"))
    one.nomad.fault = lambda name, key: Forbidden("permission denied") if name == "variables" else None
    one.sync()
    one.nomad.foreign_put("a/b", {"one": "changed"})
    one.sync()

    assert items(one)["one"] == "1"
    assert (one.reason(V), one.reason(D)) == ("Healthy", "Healthy")


@pytest.mark.parametrize(("drift", "reason", "value"), [("warn", "Drifted", "x"), ("off", "Healthy", "x")])
def test_drift_of_a_variable_follows_its_policy(drift: str, reason: str, value: str) -> None:
    """warn tells, off looks away."""
    one = harness(variable("a/b", items={"one": "1"}, policy={"drift": drift}))
    one.sync()
    one.nomad.foreign_put("a/b", {**items(one), "one": "x"})
    one.sync()

    assert (one.reason(V), items(one)["one"]) == (reason, value)


def test_an_empty_checkout_removes_no_variables_either() -> None:
    """They count like jobs."""
    one = harness(*(variable(f"v/{n}", items={"k": "v"}) for n in range(9)))
    one.sync()
    one.files["a.yaml"] = ""
    one.sync()

    assert len(one.nomad.kept) == 10
    assert one.reason(variable_key("default", "v/0")) == "PruneLimit"


# -- secrets of deployments --------------------------------------------------------------------------------------------


def test_secrets_come_before_their_job_and_go_after_it() -> None:
    """And one that was made up stays what it is."""
    one = harness(job_document("d"), w=deployment(parameters={"general": {"password": sealed("open sesame")}}))
    one.sync()
    writes = [w for w in one.nomad.writes if w[1] in (WEB, SECRETS.name)]
    assert writes == [("put_variable", SECRETS.name), ("register", WEB)]
    token = items(one, SECRETS)["token"]
    assert len(token) == 24
    assert items(one, SECRETS)["password"] == "open sesame"

    one.files["w.yaml"] = deployment(parameters={"general": {"password": sealed("another")}})
    assert one.writes_during(one.sync) == [("put_variable", SECRETS.name)]
    assert items(one, SECRETS) == {"password": "another", "token": token, STAMP: "f: password token"}

    del one.files["w.yaml"]
    assert one.writes_during(one.sync) == [("stop", WEB), ("purge", WEB), ("delete_variable", SECRETS.name)]
    assert one.store.status(SECRETS) is None


def test_no_secret_is_told_anywhere() -> None:
    """Not by status, history, events, plans, metrics, nor the state file."""
    one = harness(deployment(parameters={"general": {"password": sealed("open sesame")}}))
    one.sync()
    secret = items(one, SECRETS)["token"]
    one.nomad.foreign_put(SECRETS.name, {"password": "overheard", "token": secret})
    plans = one.operator.plan()
    one.sync()
    told = [*one.store.statuses().values(), *one.store.memories().values(), *one.events, *plans, one.metrics.text()]
    told += [record for key in (WEB, SECRETS) for record in one.store.history(key)]
    rows = [
        row for table in ("memory", "status", "events", "history") for row in one.store._all(f"SELECT * FROM {table}")
    ]

    for word in ("open sesame", "overheard", secret):
        assert word not in repr(told)
        assert word not in repr(rows)


def test_the_removal_of_deployments_counts_each_once() -> None:
    """Their variables go with them, within the limit for jobs."""
    one = harness(*(job_document(f"j{n}") for n in range(5)))
    for n in range(5):
        one.files[f"d{n}.yaml"] = deployment(f"d{n}")
    one.sync()
    for n in range(5):
        del one.files[f"d{n}.yaml"]
    one.sync()

    assert running(one) == {f"j{n}" for n in range(5)}
    assert one.nomad.kept.keys() == {("default", "herdsman/fleets/f")}


def test_deployments_that_are_held_back_keep_their_secrets() -> None:
    """A removal beyond the limit takes nothing from those who still run."""
    one = harness()
    for n in range(9):
        one.files[f"d{n}.yaml"] = deployment(f"d{n}")
    one.sync()
    for n in range(9):
        del one.files[f"d{n}.yaml"]
    one.sync()

    assert len(running(one)) == 9
    assert len(one.nomad.kept) == 10


def test_a_namespace_is_waited_for_by_what_lives_in_it() -> None:
    """A variable, too, needs its namespace first."""
    team = {"apiVersion": "herdsman/v1", "kind": "Namespace", "metadata": {"name": "team"}}
    there = yaml.safe_load(TWO) | {"metadata": {"name": "a/b", "namespace": "team"}}
    one = harness(yaml.safe_dump(there), yaml.safe_dump(team))
    one.sync()

    assert one.nomad.writes[1:] == [("put_namespace", namespace_key("team")), ("put_variable", "a/b")]
