"""In place or by replacement: as recorded, and as documented for what was not."""

from typing import Any

import pytest
from hypothesis import given

from devnomad.structs.jobs import SECOND, group, job, made_up_jobs, stored, task, with_group, with_task
from devnomad.structs.replay import Step, answer, steps
from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.changed import SERVER_KEPT, spec_changed
from herdsman.devnomad.structs.decode import decode_job
from herdsman.devnomad.structs.updates import needs_replacement


def _decided() -> list[tuple[dict[str, Any], Step]]:
    """Recorded plans that say what becomes of running allocations."""
    live: dict[str, Any] = {}
    found = []
    for step in steps("plan_edits"):
        if step.path == "/v1/jobs":
            live = stored(step.body["Job"])
        elif isinstance(step.answer, dict) and "Annotations" in step.answer:
            found.append((live, step))
    return found


@pytest.mark.parametrize(("live", "step"), _decided(), ids=lambda one: one.title if isinstance(one, Step) else "")
def test_a_change_is_made_as_recorded(live: dict[str, Any], step: Step) -> None:
    """Where the plan replaces, replacement is needed; where it updates in place or ignores, it is not."""
    for name, updates in step.answer["Annotations"]["DesiredTGUpdates"].items():
        if updates["DestructiveUpdate"] or updates["InPlaceUpdate"] or updates["Ignore"]:
            wanted = stored(step.body["Job"])
            assert needs_replacement(live, wanted, name) == bool(updates["DestructiveUpdate"])


def test_count_is_in_place_and_meta_is_not_as_recorded() -> None:
    """The facts that the operator's design stands on."""
    one, two = (job(TaskGroups=[group(Count=count)], Meta={"rev": "1"}) for count in (1, 2))
    meta = job(TaskGroups=[group(Count=2)], Meta={"rev": "2"})
    stamped = answer("operator_facts", "a stamp alone")["Annotations"]["DesiredTGUpdates"]["g"]
    linked = answer("operator_facts", "a ui link")["Annotations"]["DesiredTGUpdates"]["g"]
    assert not needs_replacement(stored(one), stored(two), "g")
    assert needs_replacement(stored(two), stored(meta), "g")
    assert needs_replacement(stored(job()), stored(job(Meta={"a": "b"})), "g") == bool(stamped["DestructiveUpdate"])
    assert needs_replacement(stored(job()), stored(job(UI={"Description": "d"})), "g") == bool(
        linked["DestructiveUpdate"]
    )


RESOURCES = {"CPU": 20, "MemoryMB": 16}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "driver": (with_task(), with_task(Driver="raw_exec"), True),
    "user": (with_task(), with_task(User="nobody"), True),
    "artifact": (with_task(), with_task(Artifacts=[{"GetterSource": "a"}]), True),
    "template": (with_task(), with_task(Templates=[{"DestPath": "a", "EmbeddedTmpl": "b"}]), True),
    "Vault": (with_task(), with_task(Vault={}), True),
    "identity": (with_task(), with_task(Identity={"File": True}), True),
    "mounts": (with_task(), with_task(VolumeMounts=[{"Volume": "v"}]), True),
    "memory": (with_task(), with_task(Resources=RESOURCES | {"MemoryMB": 32}), True),
    "most memory": (with_task(), with_task(Resources=RESOURCES | {"MemoryMaxMB": 32}), True),
    "devices": (with_task(), with_task(Resources=RESOURCES | {"Devices": [{"Name": "gpu"}]}), True),
    "metadata of the task": (with_task(), with_task(Meta={"a": "b"}), True),
    "metadata of the group": (with_group(), with_group(Meta={"a": "b"}), True),
    "metadata that the task hides": (
        job(Meta={"a": "1"}, TaskGroups=[group(Tasks=[task(Meta={"a": "x"})])]),
        job(Meta={"a": "2"}, TaskGroups=[group(Tasks=[task(Meta={"a": "x"})])]),
        False,
    ),
    "another task": (with_group(), with_group(Tasks=[task(), task("u")]), True),
    "a renamed task": (with_group(), with_group(Tasks=[task("u")]), True),
    "tasks in another order": (
        with_group(Tasks=[task(), task("u")]),
        with_group(Tasks=[task("u"), task()]),
        False,
    ),
    "disk": (with_group(), with_group(EphemeralDisk={"SizeMB": 500}), True),
    "volume": (with_group(), with_group(Volumes={"v": {"Type": "host", "Source": "s"}}), True),
    "network": (with_group(), with_group(Networks=[{"Mode": "bridge"}]), True),
    "a port": (
        with_group(Networks=[{"DynamicPorts": [{"Label": "a"}]}]),
        with_group(Networks=[{"DynamicPorts": [{"Label": "a", "To": 80}]}]),
        True,
    ),
    "affinity": (
        with_group(),
        with_group(Affinities=[{"LTarget": "a", "RTarget": "b", "Operand": "=", "Weight": 5}]),
        True,
    ),
    "spread": (with_group(), with_group(Spreads=[{"Attribute": "a"}]), True),
    "an affinity moved from the job to the group": (
        job(Affinities=[{"LTarget": "a", "RTarget": "b", "Operand": "="}]),
        with_group(Affinities=[{"LTarget": "a", "RTarget": "b", "Operand": "="}]),
        False,
    ),
    "the mesh": (
        with_group(Services=[{"Name": "s"}]),
        with_group(Services=[{"Name": "s", "Connect": {"Native": True}}]),
        True,
    ),
    "templates rendered at a restart": (
        with_group(),
        with_group(RestartPolicy={"RenderTemplates": True}),
        True,
    ),
    "logs at all": (with_task(), with_task(LogConfig={"Disabled": True}), True),
    "size of logs": (with_task(), with_task(LogConfig={"MaxFiles": 3}), False),
    "service": (with_group(), with_group(Services=[{"Name": "s", "Provider": "nomad"}]), False),
    "restart": (with_group(), with_group(RestartPolicy={"Attempts": 9}), False),
    "reschedule": (with_group(), with_group(ReschedulePolicy={"MaxDelay": 60 * SECOND}), False),
    "update": (with_group(), with_group(Update={"Canary": 1}), False),
    "constraint": (with_group(), with_group(Constraints=[{"LTarget": "a", "RTarget": "b", "Operand": "="}]), False),
    "kill timeout": (with_task(), with_task(KillTimeout=9 * SECOND), False),
    "shutdown delay": (with_task(), with_task(ShutdownDelay=SECOND), False),
    "action": (with_task(), with_task(Actions=[{"Name": "a", "Command": "b"}]), False),
    "priority": (job(), job(Priority=60), False),
    "scaling": (with_group(), with_group(Scaling={"Min": 1, "Max": 3}), False),
}


@pytest.mark.parametrize(("old", "new", "want"), CHANGES.values(), ids=CHANGES)
def test_a_change_replaces_only_what_a_task_cannot_take_over(
    old: dict[str, Any], new: dict[str, Any], want: object
) -> None:
    """It makes no difference which way the change goes."""
    one, other = stored(old), stored(new)
    assert needs_replacement(one, other, "g") == want
    assert needs_replacement(other, one, "g") == want


def test_a_group_that_comes_or_goes_is_no_update() -> None:
    """A group on one side only cannot be kept; a group on neither has nothing to replace."""
    one, other = stored(job()), stored(job(TaskGroups=[group("h")]))
    assert needs_replacement(one, other, "g")
    assert not needs_replacement(one, one, "h")


@given(made_up_jobs())
def test_the_same_job_replaces_nothing(raw: dict[str, Any]) -> None:
    """Nor does it make a version."""
    one = canonicalize(decode_job(raw))
    assert not any(needs_replacement(one, one, found["Name"]) for found in one["TaskGroups"] or ())
    assert not spec_changed(one, canonicalize(one))


@given(made_up_jobs(), made_up_jobs())
def test_what_replaces_makes_a_version(one: dict[str, Any], other: dict[str, Any]) -> None:
    """No replacement without a change."""
    old, new = canonicalize(decode_job(one)), canonicalize(decode_job(other))
    if any(needs_replacement(old, new, found["Name"]) for found in old["TaskGroups"] or ()):
        assert spec_changed(old, new)


@pytest.mark.parametrize("key", sorted(SERVER_KEPT))
def test_what_the_server_keeps_makes_no_version(key: str) -> None:
    """Status, indexes and times differ between a stored job and the same job sent again."""
    one = stored(job())
    assert not spec_changed(one | {key: "other"}, one)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (job(), job(Priority=60)),
        (job(), job(Stop=True)),
        (job(), job(Spreads=[{"Attribute": "a"}])),
        (job(), with_group(Count=2)),
        (job(), with_task(Lifecycle={"Hook": "prestart"})),
        (with_group(Scaling={"Max": 3}), with_group(Scaling={"Max": 4})),
    ],
)
def test_any_other_change_makes_a_version(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Even those that a plan does not show."""
    assert spec_changed(stored(old), stored(new))


def test_a_tag_makes_a_version() -> None:
    """The same body registered over a tagged version is a new one."""
    one = stored(job())
    assert spec_changed(one | {"VersionTag": {"Name": "a", "Description": "", "TaggedTime": 1}}, one)
