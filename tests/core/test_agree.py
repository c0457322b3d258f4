"""Whether a job that a person wrote agrees with one that Nomad holds, held against Nomad's own canonical forms."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnomad.structs.replay import Step, steps
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.core import words
from herdsman.core.agree import mismatches
from herdsman.core.normalize import SERVER_KEPT, drifted, stamped
from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.changed import spec_changed
from herdsman.devnomad.structs.jobdiff import diff
from herdsman.model.desired import Policy, Stopped

POLICY = Policy()
JOBSPECS = sorted((Path(__file__).parents[1] / "contract" / "nomad" / "jobspecs").glob("*.hcl"))
Job = dict[str, Any]


def stored(body: Job) -> Job:
    """What Nomad makes of *body*."""
    return canonicalize(deepcopy(body))


def seen(desired: Job, live: Job, policy: Policy = POLICY) -> list[str]:
    """The paths at which an operator that remembers nothing sees a difference: a plan's fields, else the comparison."""
    shown = words.changes(diff(live, stored(desired))) or mismatches(desired, live, policy)
    return [change.path for change in shown]


# -- what is equal is found equal --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", JOBSPECS, ids=lambda p: p.name.split(".", 1)[0])
def test_a_jobspec_agrees_with_what_nomad_makes_of_it(path: Path) -> None:
    """Whatever blocks a jobspec has, and whatever Nomad fills in: registered unchanged, it is the same job."""
    desired = dict(OfflineHclParser().parse(path.read_text(), variables={}, namespace="default"))

    assert mismatches(desired, stored(desired), POLICY) == ()


def task(**more: Any) -> Job:
    return {"Name": "t", "Driver": "mock_driver"} | more


def group(**more: Any) -> Job:
    return {"Name": "g", "Count": 1, "Tasks": [task()]} | more


def job(**more: Any) -> Job:
    return {"ID": "j", "Name": "j", "TaskGroups": [group()]} | more


def of_group(**more: Any) -> Job:
    return job(TaskGroups=[group(**more)])


def of_task(**more: Any) -> Job:
    return of_group(Tasks=[task(**more)])


SERVICE = {"Name": "s", "Provider": "nomad"}
SAME: dict[str, Job] = {
    "nothing said": job(),
    "stamped": stamped(job(Meta={"a": "b"}), "f"),
    "everything empty": job(Meta=None, Constraints=[], Update=None, Periodic=None, Affinities=[], VaultToken=""),
    "update of the job": job(Update={"MaxParallel": 3, "AutoRevert": True}),
    "update of the job, changed by the group": job(
        Update={"MaxParallel": 3, "Canary": 1}, TaskGroups=[group(Update={"MaxParallel": 5})]
    ),
    "reschedule and restart of the job": job(
        Reschedule={"Attempts": 2, "Interval": 10**11, "Unlimited": False}, Migrate={"MaxParallel": 2}
    ),
    "restart of the group": of_group(RestartPolicy={"Attempts": 7, "Mode": "delay"}),
    "service named after job and group": of_group(Services=[SERVICE | {"Name": "${JOB}-${TASKGROUP}-x"}]),
    "service named after its task": of_task(Services=[SERVICE | {"Name": "${TASK}-x"}]),
    "service named by its base, in a task": of_task(Services=[SERVICE | {"Name": "${BASE}"}]),
    "service without a name": of_group(Services=[{"Provider": "nomad"}]),
    "service with a check: constraints are implied": of_group(
        Services=[SERVICE | {"Checks": [{"Type": "http", "Path": "/", "Interval": 10**10, "Timeout": 10**9}]}]
    ),
    "bridge network: constraints are implied": of_group(Networks=[{"Mode": "bridge"}]),
    "signals: constraints are implied": of_task(KillSignal="SIGINT"),
    "constraints of its own beside implied ones": of_group(
        Constraints=[{"LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "="}], Services=[SERVICE]
    ),
    "a constraint written down that is implied too": of_group(
        Constraints=[{"LTarget": "${attr.nomad.service_discovery}", "RTarget": "true", "Operand": "="}],
        Services=[SERVICE],
    ),
    "constraints of the job": job(
        Constraints=[{"LTarget": "${attr.nomad.version}", "RTarget": ">= 1.7", "Operand": "semver"}]
    ),
    "weights said": job(
        Affinities=[{"LTarget": "${node.class}", "RTarget": "x", "Operand": "=", "Weight": 50}],
        Spreads=[{"Attribute": "${node.datacenter}", "Weight": 50}],
    ),
    "scaling": of_group(Scaling={"Min": 1, "Max": 5, "Enabled": True}),
    "template": of_task(Templates=[{"EmbeddedTmpl": "x", "DestPath": "local/x"}]),
    "periodic": job(Type="batch", Periodic={"Enabled": True, "SpecType": "cron", "Specs": ["0 3 * * *"]}),
    "parameterized": job(Type="batch", ParameterizedJob={"Payload": "optional", "MetaRequired": ["who"]}),
    "system": job(Type="system"),
    "lifecycle": of_task(Lifecycle={"Hook": "prestart", "Sidecar": False}),
    "spread without a weight": job(Spreads=[{"Attribute": "${node.datacenter}"}]),
    "affinity without a weight": job(Affinities=[{"LTarget": "${node.class}", "RTarget": "x", "Operand": "="}]),
    "group's service named by its base": of_group(Services=[SERVICE | {"Name": "${BASE}"}]),
    "group's service named after its task": of_group(Services=[SERVICE | {"Name": "x-${TASK}"}]),
    "update of the job, switched off by the group": job(
        Update={"MaxParallel": 3, "AutoRevert": True}, TaskGroups=[group(Update={"AutoRevert": False})]
    ),
    "an identity block, as HCL has it": of_task(Identities=[{"Name": "default", "Env": True}]),
    "a signal in lower case": of_task(
        Templates=[{"EmbeddedTmpl": "x", "DestPath": "x", "ChangeMode": "signal", "ChangeSignal": "sighup"}]
    ),
    "text in another normal form": of_task(Env={"NAME": "e\u0301"}),
}


@pytest.mark.parametrize("desired", SAME.values(), ids=SAME.keys())
def test_a_job_agrees_with_what_nomad_makes_of_it(desired: Job) -> None:
    """Defaults, inheritance, names and implied constraints are Nomad's doing, and no difference."""
    assert mismatches(desired, stored(desired), POLICY) == ()


def test_nomads_normal_form_of_text_is_the_same_text() -> None:
    """Nomad's HCL2 composes characters; a decomposed one in a spec is the same."""
    live = stored(of_task(Env={"NAME": "\u00e9"}))

    assert mismatches(of_task(Env={"NAME": "e\u0301"}), live, POLICY) == ()


# -- what is different is found different ------------------------------------------------------------------------------

HIDDEN: dict[str, tuple[Job, Callable[[Job], object]]] = {
    "spread of the job added": (job(), lambda b: b.update(Spreads=[{"Attribute": "x", "Weight": 50}])),
    "spread of the job removed": (job(Spreads=[{"Attribute": "x", "Weight": 50}]), lambda b: b.pop("Spreads")),
    "spread of the job, another weight": (
        job(Spreads=[{"Attribute": "x", "Weight": 50}]),
        lambda b: b["Spreads"][0].update(Weight=10),
    ),
    "spread of the job, a target": (
        job(Spreads=[{"Attribute": "x", "Weight": 50, "SpreadTarget": [{"Value": "a", "Percent": 100}]}]),
        lambda b: b["Spreads"][0]["SpreadTarget"][0].update(Percent=40),
    ),
    "spread of a group": (
        of_group(Spreads=[{"Attribute": "x", "Weight": 50}]),
        lambda b: b["TaskGroups"][0]["Spreads"][0].update(Weight=10),
    ),
    "lifecycle added": (
        job(),
        lambda b: b["TaskGroups"][0]["Tasks"][0].update(Lifecycle={"Hook": "poststart", "Sidecar": True}),
    ),
    "lifecycle, a sidecar no more": (
        of_task(Lifecycle={"Hook": "poststart", "Sidecar": True}),
        lambda b: b["TaskGroups"][0]["Tasks"][0]["Lifecycle"].update(Sidecar=False),
    ),
    "lifecycle, now a sidecar": (
        of_task(Lifecycle={"Hook": "poststart", "Sidecar": False}),
        lambda b: b["TaskGroups"][0]["Tasks"][0]["Lifecycle"].update(Sidecar=True),
    ),
    "scaling policy of a task": (
        job(),
        lambda b: b["TaskGroups"][0]["Tasks"][0].update(ScalingPolicies=[{"Type": "vertical_cpu", "Max": 5}]),
    ),
    "arguments of a check": (
        of_group(
            Services=[
                {
                    "Name": "s",
                    "Provider": "consul",
                    "Checks": [{"Type": "script", "Command": "c", "Args": ["a"], "Interval": 10**10, "Timeout": 10**9}],
                }
            ]
        ),
        lambda b: b["TaskGroups"][0]["Services"][0]["Checks"][0].update(Args=["b"]),
    ),
    "affinity of a device": (
        of_task(Resources={"Devices": [{"Name": "gpu", "Count": 1}]}),
        lambda b: b["TaskGroups"][0]["Tasks"][0]["Resources"]["Devices"][0].update(
            Affinities=[{"LTarget": "x", "RTarget": "y", "Operand": "=", "Weight": 5}]
        ),
    ),
    "constraint of a device": (
        of_task(Resources={"Devices": [{"Name": "gpu", "Count": 1}]}),
        lambda b: b["TaskGroups"][0]["Tasks"][0]["Resources"]["Devices"][0].update(
            Constraints=[{"LTarget": "x", "RTarget": "y", "Operand": "="}]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("desired", "edit"), HIDDEN.values(), ids=HIDDEN.keys())
def test_an_edit_that_a_plan_hides_is_found(desired: Job, edit: Callable[[Job], object]) -> None:
    """Where Nomad's plan shows no field, the comparison sees the change: with nothing remembered there is no other."""
    edited = deepcopy(desired)
    edit(edited)
    live = stored(edited)

    assert words.changes(diff(live, stored(desired))) == (), "else it is no edit that a plan hides"
    assert mismatches(desired, live, POLICY) != ()


RICH_STEPS = [s for s in steps("plan_edits_rich") if s.path.endswith("/plan") and s.status == 200]
BASE: Job = next(s.body["Job"] for s in steps("plan_edits_rich") if s.name == "create")
EDITS: dict[str, Job] = {s.name: s.body["Job"] for s in RICH_STEPS}


@pytest.mark.parametrize("name", EDITS)
def test_a_rich_job_agrees_with_what_nomad_makes_of_it(name: str) -> None:
    """Each of sixty edits of a job with most blocks agrees with its own canonical form."""
    assert mismatches(EDITS[name], stored(EDITS[name]), POLICY) == ()


@pytest.mark.parametrize("step", RICH_STEPS, ids=lambda s: s.name)
def test_a_recorded_edit_is_found(step: Step) -> None:
    """What a real Nomad showed in its plan, and the comparison where it showed no field, find each edit."""
    desired = step.body["Job"]

    shown = words.changes(step.answer["Diff"]) or mismatches(desired, stored(BASE), POLICY)

    assert bool(shown) is (step.name != "nothing")


def patch(base: Any, edited: Any, onto: Any) -> Any:
    """*onto* with what was edited from *base* to *edited*, as far as it still applies."""
    if base == edited:
        return onto
    if isinstance(base, dict) and isinstance(edited, dict) and isinstance(onto, dict):
        result = {k: v for k, v in onto.items() if k in edited or k not in base}
        for key, value in edited.items():
            if key not in base:
                result[key] = deepcopy(value)
            elif key in onto:
                result[key] = patch(base[key], value, onto[key])
        return result
    if isinstance(base, list) and isinstance(edited, list) and isinstance(onto, list) and len(base) == len(edited):
        together = [patch(b, e, o) for b, e, o in zip(base, edited, onto, strict=False)]
        return together + onto[len(together) :]
    return deepcopy(edited)


@st.composite
def edited_jobs(draw: st.DrawFn) -> Job:
    """The rich job after up to four of the recorded edits."""
    edited: Job = deepcopy(BASE)
    for name in draw(st.lists(st.sampled_from(sorted(EDITS)), max_size=4, unique=True)):
        edited = patch(BASE, EDITS[name], edited)
    return edited


@settings(max_examples=60, deadline=None)
@given(edited_jobs())
def test_edits_together_agree_with_what_nomad_makes_of_them(desired: Job) -> None:
    """Whatever edits meet in one job, registered unchanged it is the same job."""
    assert mismatches(desired, stored(desired), POLICY) == ()


@settings(max_examples=100, deadline=None)
@given(edited_jobs(), edited_jobs())
def test_every_edit_that_makes_a_version_is_found(desired: Job, other: Job) -> None:
    """If registering the desired job over another would make a new version, the difference is seen beforehand."""
    live = stored(other)
    if spec_changed(live, stored(desired)):
        assert seen(desired, live)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a job, with what stands there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*path, key), part
        yield from places(part, (*path, key))


def others(value: Any) -> Iterator[Any]:
    """What somebody may write instead of *value*."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 7, 0)
        case str():
            yield from (value + "x", "")
        case list() if value:
            yield from (value[:-1], None)
        case dict() if value and all(isinstance(v, str) for v in value.values()):
            yield from ({**value, "zz": "y"}, None)


def edits_of_one_value(base: Job) -> Iterator[tuple[tuple[Any, ...], Job]]:
    """Every job that differs from *base* in one value in a way that makes a version, as Nomad stores it."""
    for path, value in places(base):
        for other in others(value):
            if other is None and isinstance(path[-1], int):
                continue  # an element may go, but not be nothing
            edited = deepcopy(base)
            holder = edited
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = other
            live = stored(edited)
            if path[0] not in SERVER_KEPT | {"ID", "Namespace"} and spec_changed(live, base):
                yield path, live


def test_every_edit_of_one_value_is_found() -> None:
    """Whatever single value of a rich job somebody changes, the operator sees it: with the job as it was in its
    memory, and with nothing remembered."""
    base = stored(BASE)
    tried = 0
    for path, live in edits_of_one_value(base):
        tried += 1
        assert drifted(base, live, POLICY), path
        pace_of_old = path[0] == "Update" or path[-1] == "Stagger"  # which nothing reads any more
        assert pace_of_old or seen(BASE, live), path
    assert tried > 300


@pytest.mark.parametrize(
    "edit",
    [
        {"Attempts": 9},
        {"Mode": "delay"},
        {"RenderTemplates": True},
    ],
    ids=lambda e: next(iter(e)),
)
def test_a_tasks_restart_policy_is_found(edit: Job) -> None:
    """A task inherits its group's restart policy; another one there is somebody's edit."""
    edited = stored(job())
    edited["TaskGroups"][0]["Tasks"][0]["RestartPolicy"].update(edit)

    assert seen(job(), stored(edited))


# -- what belongs to others --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "edit"),
    [
        (Policy(ignore=("Spreads",)), {"Spreads": [{"Attribute": "x", "Weight": 50}]}),
        (Policy(ignore=("TaskGroups[*].Spreads",)), {"TaskGroups": [group(Spreads=[{"Attribute": "x", "Weight": 5}])]}),
        (Policy(stopped=Stopped.RESPECT), {"Stop": True}),
    ],
)
def test_what_is_ignored_is_not_compared(policy: Policy, edit: Job) -> None:
    """Ignored paths and respected stops are nobody's difference."""
    assert mismatches(job(), stored(job(**edit)), policy) == ()


def test_a_secret_is_not_told() -> None:
    """Values of a mismatch are fit to be shown."""
    live = stored(of_task(Env={"TOKEN": "old-secret"}))

    (change,) = mismatches(of_task(Env={"TOKEN": "new-secret"}), live, POLICY)

    assert "secret" not in change.old.replace("sensitive", "") + change.new.replace("sensitive", "")


def test_neither_side_is_changed() -> None:
    """Comparing leaves both jobs as they were."""
    desired, live = deepcopy(BASE), stored(BASE)
    before = deepcopy(desired), deepcopy(live)

    mismatches(desired, live, Policy(ignore=("Meta.owner", "TaskGroups[*].Count")))

    assert (desired, live) == before
