"""Differences of jobs: as recorded from plans of a real Nomad, and the same scheme for every other block."""

import json
from typing import Any

import pytest
from hypothesis import given

from devnomad.structs.jobs import SECOND, group, job, made_up_jobs, stored, task, with_group, with_task
from devnomad.structs.replay import Step, answer, disagreements, steps
from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.changed import settle_policies, spec_changed
from herdsman.devnomad.structs.decode import decode_job
from herdsman.devnomad.structs.jobdiff import annotate, diff

PLANS = ["plan_new_job", "plan_edits", "plan_edits_rich"]


def _planned() -> list[tuple[dict[str, Any] | None, Step]]:
    """Every recorded plan with a diff, and the job that was live."""
    found: list[tuple[dict[str, Any] | None, Step]] = []
    for scenario in PLANS:
        live: dict[str, Any] | None = None
        for step in steps(scenario):
            if step.path == "/v1/jobs" and step.method == "POST":
                live = stored(step.body["Job"])
            elif isinstance(step.answer, dict) and step.answer.get("Diff"):
                found.append((live, step))
    return found


@pytest.mark.parametrize(("live", "step"), _planned(), ids=lambda one: one.title if isinstance(one, Step) else "")
def test_a_plan_is_worded_as_recorded(live: dict[str, Any] | None, step: Step) -> None:
    """Fields, objects, types and annotations are those of a real Nomad's answer."""
    found = diff(live, stored(step.body["Job"]))
    annotate(found, step.answer["Annotations"]["DesiredTGUpdates"])
    assert disagreements(step.answer["Diff"], found) == []


def test_the_recordings_hold_enough_plans() -> None:
    """The test above must not pass for want of recordings."""
    assert len(_planned()) > 70


def test_versions_are_compared_as_recorded() -> None:
    """The difference of two versions has the same form, without annotations."""
    first, second = (stored(job(ID="ct-same", TaskGroups=[group(Count=0)], Priority=one)) for one in (50, 60))
    want = answer("register_twice_is_no_change", "versions with diffs")["Diffs"][0]
    assert disagreements(want, diff(first, second)) == []


def _scaled(count: int) -> dict[str, Any]:
    scaling = {"Enabled": True, "Min": 1, "Max": 5}
    update = {"MinHealthyTime": 100_000_000}
    return stored(job(ID="ct-op3", Name="ct-op3", Update=update, TaskGroups=[group(Count=count, Scaling=scaling)]))


def test_a_policys_indexes_show_as_an_edit_without_a_leaf_as_recorded() -> None:
    """A scaled job differs from its own body in what the server filled in."""
    first = settle_policies(_scaled(1), None, index=7, new_id=lambda: "id")
    live = first | {"TaskGroups": [first["TaskGroups"][0] | {"Count": 3}]}
    found = diff(live, _scaled(3))
    annotate(found, {"g": {"InPlaceUpdate": 3}})
    assert disagreements(answer("operator_facts", "live count spliced in")["Diff"], found) == []
    found = diff(live, _scaled(1))
    annotate(found, {"g": {"InPlaceUpdate": 1, "Stop": 2}})
    want = answer("operator_facts", "git's count against it")
    assert found["TaskGroups"][0]["Fields"] == want["Diff.TaskGroups.0.Fields"]


def test_a_policys_false_edit_goes_with_the_second_register() -> None:
    """Stored again, the unchanged policy keeps its ID and says no more when it changed."""
    first = settle_policies(_scaled(1), None, index=7, new_id=lambda: "id")
    assert spec_changed(first, _scaled(1))
    second = settle_policies(_scaled(1), first, index=9, new_id=lambda: "other")
    assert second["TaskGroups"][0]["Scaling"]["ID"] == "id"
    assert not spec_changed(second, _scaled(1))
    assert diff(second, _scaled(1))["Type"] == "None"


def _flat(found: dict[str, Any], where: str = "") -> list[str]:
    """A diff as lines: `Edited Task t/Config/run_for 1h -> 2h`; unchanged leaves are left out."""
    lines = [
        f"{one['Type']} {where}{one['Name']}: {one['Old']} -> {one['New']}"
        for one in found.get("Fields") or ()
        if one["Type"] != "None"
    ]
    for key in ("Objects", "TaskGroups", "Tasks"):
        for one in found.get(key) or ():
            inner = _flat(one, f"{where}{one['Name']}/")
            lines += inner or ([f"{one['Type']} {where}{one['Name']}"] if one["Type"] != "None" else [])
    return lines


def _lines(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return sorted(_flat(diff(stored(old), stored(new))))


HOUR = 3600 * SECOND
EDITS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a schedule": (
        job(Type="batch", Periodic={"Specs": ["@daily"]}),
        job(Type="batch", Periodic={"Specs": ["@weekly"], "TimeZone": "Europe/Madrid"}),
        [
            "Added Periodic/Specs/Specs:  -> @weekly",
            "Deleted Periodic/Specs/Specs: @daily -> ",
            "Edited Periodic/TimeZone: UTC -> Europe/Madrid",
        ],
    ),
    "a parameter": (
        job(Type="batch", ParameterizedJob={"MetaRequired": ["a"]}),
        job(Type="batch", ParameterizedJob={"MetaRequired": ["a"], "MetaOptional": ["b"], "Payload": "required"}),
        [
            "Added ParameterizedJob/MetaOptional/MetaOptional:  -> b",
            "Edited ParameterizedJob/Payload: optional -> required",
        ],
    ),
    "a description": (
        job(UI={"Description": "a", "Links": [{"Label": "l", "URL": "u"}]}),
        job(UI={"Description": "b"}),
        ["Deleted UI/Link/Label: l -> ", "Deleted UI/Link/URL: u -> ", "Edited UI/Description: a -> b"],
    ),
    "regions": (
        job(Multiregion={"Strategy": {"MaxParallel": 1}, "Regions": [{"Name": "west", "Count": 1}]}),
        job(Multiregion={"Strategy": {"MaxParallel": 2}, "Regions": [{"Name": "west", "Count": 3}]}),
        [
            "Edited Multiregion/Region/Count: 1 -> 3",
            "Edited Multiregion/Strategy/MaxParallel: 1 -> 2",
        ],
    ),
    "a group's times": (
        with_group(ShutdownDelay=SECOND),
        with_group(MaxClientDisconnect=HOUR),
        [
            f"Added g/MaxClientDisconnect:  -> {HOUR}",
            f"Deleted g/ShutdownDelay: {SECOND} -> ",
        ],
    ),
    "a group's Consul": (
        with_group(Consul={"Namespace": "a"}),
        with_group(Consul={"Namespace": "b"}),
        ["Edited g/Consul/Namespace: a -> b"],
    ),
    "a scaling policy": (
        with_group(Scaling={"Max": 5, "Policy": {"cooldown": "1m"}}),
        with_group(Scaling={"Max": 6, "Policy": {"cooldown": "2m", "check": [{"a": 1}]}}),
        [
            "Added g/Scaling/Policy/check[0][a]:  -> 1",
            "Edited g/Scaling/Max: 5 -> 6",
            "Edited g/Scaling/Policy/cooldown: 1m -> 2m",
        ],
    ),
    "a volume": (
        with_group(Volumes={"v": {"Name": "v", "Type": "csi", "Source": "s", "MountOptions": {"FSType": "ext4"}}}),
        with_group(
            Volumes={
                "v": {
                    "Name": "v",
                    "Type": "csi",
                    "Source": "r",
                    "MountOptions": {"FSType": "xfs", "MountFlags": ["noatime"]},
                }
            }
        ),
        [
            "Added g/Volume/MountOptions/MountFlags/MountFlags:  -> noatime",
            "Edited g/Volume/MountOptions/FSType: ext4 -> xfs",
            "Edited g/Volume/Source: s -> r",
        ],
    ),
    "arguments of CNI": (
        with_group(Networks=[{"Mode": "cni/x"}]),
        with_group(Networks=[{"Mode": "cni/x", "CNI": {"Args": {"a": "b"}}}]),
        [
            "Added g/Network/CNIConfig/Args[a]:  -> b",
            "Added g/Network/Mode:  -> cni/x",
            "Deleted g/Network/Mode: cni/x -> ",
        ],
    ),
    "a check's header and restart": (
        with_group(Services=[{"Name": "s", "Provider": "nomad", "Checks": [{"Name": "c", "Header": {"X": ["1"]}}]}]),
        with_group(
            Services=[
                {
                    "Name": "s",
                    "Provider": "nomad",
                    "Checks": [{"Name": "c", "Header": {"X": ["1", "2"]}, "CheckRestart": {"Limit": 3}}],
                }
            ]
        ),
        [
            f"Added g/Service/Check/CheckRestart/Grace:  -> {SECOND}",
            "Added g/Service/Check/CheckRestart/IgnoreWarnings:  -> false",
            "Added g/Service/Check/CheckRestart/Limit:  -> 3",
            "Added g/Service/Check/Header/X[1]:  -> 2",
        ],
    ),
    "a check's arguments": (
        with_group(Services=[{"Name": "s", "Checks": [{"Name": "c", "Args": ["a"]}]}]),
        with_group(Services=[{"Name": "s", "Checks": [{"Name": "c", "Args": ["b"]}]}]),
        ["Edited g/Service/Check"],
    ),
    "metadata and addresses of a service": (
        with_group(Services=[{"Name": "s", "Meta": {"a": "1"}, "TaggedAddresses": {"lan": "x"}}]),
        with_group(Services=[{"Name": "s", "Meta": {"a": "2"}, "CanaryMeta": {"b": "1"}, "CanaryTags": ["c"]}]),
        [
            "Added g/Service/CanaryMeta[b]:  -> 1",
            "Added g/Service/CanaryTags/CanaryTags:  -> c",
            "Deleted g/Service/TaggedAddresses[lan]: x -> ",
            "Edited g/Service/Meta[a]: 1 -> 2",
        ],
    ),
    "a group's spread": (
        with_group(Spreads=[{"Attribute": "a"}]),
        with_group(Spreads=[{"Attribute": "b"}]),
        ["Edited g"],
    ),
    "a lifecycle": (
        with_task(Lifecycle={"Hook": "prestart"}),
        with_task(Lifecycle={"Hook": "poststop"}),
        ["Edited g/t"],
    ),
    "a task's scaling policies": (
        with_task(ScalingPolicies=[{"Type": "vertical_mem", "Max": 5}]),
        with_task(ScalingPolicies=[{"Type": "vertical_mem", "Max": 6}]),
        ["Edited g/t"],
    ),
    "a job's spread": (job(Spreads=[{"Attribute": "a"}]), job(Spreads=[{"Attribute": "b"}]), []),
    "Vault": (
        with_task(Vault={"Policies": ["a"], "Role": "r"}),
        with_task(Vault={"Policies": ["b"], "Role": "s"}),
        [
            "Added g/t/Vault/Policies/Policies:  -> b",
            "Deleted g/t/Vault/Policies/Policies: a -> ",
            "Edited g/t/Vault/Role: r -> s",
        ],
    ),
    "a dispatched file": (
        job(Type="batch", TaskGroups=[group(Tasks=[task(DispatchPayload={"File": "a"})])]),
        job(Type="batch", TaskGroups=[group(Tasks=[task(DispatchPayload={"File": "b"})])]),
        ["Edited g/t/DispatchPayload/File: a -> b"],
    ),
    "identities": (
        with_task(Identities=[{"Name": "a", "Audience": ["x"], "TTL": HOUR}]),
        with_task(Identities=[{"Name": "a", "Audience": ["y"], "TTL": HOUR, "ExtraClaims": {"k": "v"}}]),
        [
            "Added g/t/Identity/Audience/Audience:  -> y",
            "Added g/t/Identity/ExtraClaims[k]:  -> v",
            "Deleted g/t/Identity/Audience/Audience: x -> ",
        ],
    ),
    "a template's owner, wait and script": (
        with_task(Templates=[{"DestPath": "a", "Uid": 1, "Wait": {"Min": SECOND, "Max": 2 * SECOND}}]),
        with_task(
            Templates=[
                {
                    "DestPath": "a",
                    "Uid": 2,
                    "Wait": {"Min": SECOND, "Max": 3 * SECOND},
                    "ChangeScript": {"Command": "/c", "Args": ["-x"]},
                }
            ]
        ),
        [
            "Added g/t/Template/ChangeScript/Args/Args:  -> -x",
            "Added g/t/Template/ChangeScript/Command:  -> /c",
            "Added g/t/Template/ChangeScript/FailOnError:  -> false",
            "Added g/t/Template/ChangeScript/RunOnFirstRender:  -> false",
            f"Added g/t/Template/ChangeScript/Timeout:  -> {5 * SECOND}",
            "Edited g/t/Template/Template/Max: 2000000000 -> 3000000000",
            "Edited g/t/Template/Uid: 1 -> 2",
        ],
    ),
    "a template to another place": (
        with_task(Templates=[{"DestPath": "a", "EmbeddedTmpl": "x"}]),
        with_task(Templates=[{"DestPath": "b", "EmbeddedTmpl": "x"}]),
        sorted(
            f"{kind} g/t/Template/{key}: {old} -> {new}"
            for kind, place in (("Deleted", "a"), ("Added", "b"))
            for key, value in {
                "ChangeMode": "restart",
                "DestPath": place,
                "EmbeddedTmpl": "x",
                "Envvars": "false",
                "ErrMissingKey": "false",
                "LeftDelim": "{{",
                "Once": "false",
                "Perms": "0644",
                "RightDelim": "}}",
                "Splay": "5000000000",
                "VaultGrace": "0",
            }.items()
            for old, new in [("", value) if kind == "Added" else (value, "")]
        ),
    ),
    "devices and memory nodes": (
        with_task(Resources={"CPU": 20, "MemoryMB": 16, "Devices": [{"Name": "gpu"}]}),
        with_task(
            Resources={
                "CPU": 20,
                "MemoryMB": 16,
                "Devices": [{"Name": "gpu", "Affinities": [{"LTarget": "a", "RTarget": "b", "Operand": "="}]}],
                "NUMA": {"Affinity": "prefer", "Devices": ["gpu"]},
            }
        ),
        [
            "Added g/Constraint/LTarget:  -> ${attr.kernel.name}",
            "Added g/Constraint/LTarget:  -> ${attr.nomad.version}",
            "Added g/Constraint/Operand:  -> =",
            "Added g/Constraint/Operand:  -> semver",
            "Added g/Constraint/RTarget:  -> >= 1.7.1",
            "Added g/Constraint/RTarget:  -> linux",
            "Added g/t/Resources/NUMA/Affinity:  -> prefer",
            "Added g/t/Resources/NUMA/Devices/Devices:  -> gpu",
            "Edited g/t/Resources/Device",
        ],
    ),
    "a mount": (
        with_task(VolumeMounts=[{"Volume": "v", "Destination": "/a"}]),
        with_task(VolumeMounts=[]),
        [
            "Deleted g/t/VolumeMount/Destination: /a -> ",
            "Deleted g/t/VolumeMount/PropagationMode: private -> ",
            "Deleted g/t/VolumeMount/ReadOnly: false -> ",
            "Deleted g/t/VolumeMount/Volume: v -> ",
        ],
    ),
    "a plugin": (
        with_task(CSIPluginConfig={"ID": "p", "Type": "node"}),
        with_task(CSIPluginConfig={"ID": "p", "Type": "monolith"}),
        ["Edited g/t/CSIPluginConfig/Type: node -> monolith"],
    ),
    "an action": (
        with_task(Actions=[{"Name": "a", "Command": "x", "Args": ["1"]}, {"Name": "b", "Command": "y"}]),
        with_task(Actions=[{"Name": "a", "Command": "z", "Args": ["1"]}, {"Name": "b", "Command": "y"}]),
        ["Edited g/t/Action/Command: x -> z"],
    ),
    "a secret": (
        with_task(Secrets=[{"Name": "s", "Provider": "nomad", "Path": "a", "Config": {"namespace": "x"}}]),
        with_task(Secrets=[{"Name": "s", "Provider": "nomad", "Path": "b", "Config": {"namespace": "y"}}]),
        ["Edited g/t/Secret/Config/namespace: x -> y", "Edited g/t/Secret/Path: a -> b"],
    ),
    "a task's schedule": (
        with_task(Schedule={"Cron": {"Start": "0 9 * * *", "Stop": "0 17 * * *"}}),
        with_task(Schedule={"Cron": {"Start": "0 8 * * *", "Stop": "0 17 * * *"}}),
        ["Edited g/t/Schedule/Cron/Start: 0 9 * * * -> 0 8 * * *"],
    ),
    "free-form values": (
        with_task(Config={"a": 5, "b": 1_000_000, "c": True, "d": {"e": ["f"]}, "g": None}),
        with_task(Config={"a": 5.5, "b": 2_000_000, "c": False, "d": {"e": ["h", "i"]}, "g": "x"}),
        [
            "Added g/t/Config/d[e][1]:  -> i",
            "Edited g/t/Config/a: 5 -> 5.5",
            "Edited g/t/Config/b: 1e+06 -> 2e+06",
            "Edited g/t/Config/c: true -> false",
            "Edited g/t/Config/d[e][0]: f -> h",
            "Edited g/t/Config/g: nil -> x",
        ],
    ),
}


@pytest.mark.parametrize(("old", "new", "want"), EDITS.values(), ids=EDITS)
def test_an_edit_shows_where_it_was_made(old: dict[str, Any], new: dict[str, Any], want: list[str]) -> None:
    """Each block names its own leaves; what has none of its own shows as an edited block around it."""
    assert _lines(old, new) == want


MESH = {"Networks": [{"Mode": "bridge"}]}


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (
            {"SidecarService": {"Proxy": {"LocalServicePort": 1, "Upstreams": [{"DestinationName": "db"}]}}},
            {
                "SidecarService": {
                    "Proxy": {"LocalServicePort": 2, "Upstreams": [{"DestinationName": "db", "LocalBindPort": 9}]}
                }
            },
            [
                "SidecarService/ConsulProxy/ConsulUpstreams/LocalBindPort: 0 -> 9",
                "SidecarService/ConsulProxy/LocalServicePort: 1 -> 2",
            ],
        ),
        (
            {"Gateway": {"Proxy": {"ConnectTimeout": SECOND}, "Ingress": {"Listeners": [{"Port": 80}]}}},
            {
                "Gateway": {
                    "Proxy": {"ConnectTimeout": 2 * SECOND},
                    "Ingress": {"Listeners": [{"Port": 80, "Protocol": "http"}]},
                }
            },
            ["Gateway/Ingress/Listener/Protocol: tcp -> http", "Gateway/Proxy/ConnectTimeout: 1s -> 2s"],
        ),
        (
            {"Gateway": {"Terminating": {"Services": [{"Name": "a", "SNI": "x"}]}}},
            {"Gateway": {"Terminating": {"Services": [{"Name": "a", "SNI": "y"}]}}},
            ["Gateway/Terminating/Service/SNI: x -> y"],
        ),
    ],
)
def test_the_mesh_shows_its_edits(old: dict[str, Any], new: dict[str, Any], want: list[str]) -> None:
    """Proxies, upstreams and gateways are blocks like any other."""
    before, after = (with_group(**MESH, Services=[{"Name": "s", "Connect": one}]) for one in (old, new))
    assert _lines(before, after) == [f"Edited g/Service/ConsulConnect/{line}" for line in want]


def _services(*services: tuple[str, str]) -> dict[str, Any]:
    return with_group(Services=[{"Name": name, "PortLabel": port, "Provider": "nomad"} for name, port in services])


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ([("a", "x")], [("b", "y")], ["Edited Service a->b x->y"]),
        ([("a", "x"), ("b", "y")], [("b", "y"), ("a", "x")], []),
        ([("a", "x"), ("b", "y")], [("a", "x"), ("c", "y")], ["Edited Service b->c y"]),
        ([("a", "x"), ("b", "y")], [("b", "z"), ("a", "x")], ["Edited Service b y->z"]),
        ([("a", "x"), ("b", "y")], [("a", "x")], ["Deleted Service b y"]),
        ([("a", "x"), ("b", "y")], [("a", "x"), ("c", "z")], ["Added Service c z", "Deleted Service b y"]),
    ],
)
def test_services_are_paired_by_name_port_and_place(
    old: list[tuple[str, str]], new: list[tuple[str, str]], want: list[str]
) -> None:
    """A service moved is no edit; one that keeps its name, or its port in its place, is the same one edited."""
    found = diff(stored(_services(*old)), stored(_services(*new)))
    lines = []
    for one in found["TaskGroups"][0]["Objects"] or ():
        fields = {leaf["Name"]: leaf for leaf in one["Fields"]}
        values = [
            "->".join(dict.fromkeys(filter(None, (fields[key]["Old"], fields[key]["New"]))))
            for key in ("Name", "PortLabel")
        ]
        lines.append(f"{one['Type']} {one['Name']} {' '.join(values)}")
    assert sorted(lines) == want


@pytest.mark.parametrize(
    ("new", "want"),
    [
        (with_task(KillTimeout=9 * SECOND), "forces in-place update"),
        (with_task(Constraints=[{"LTarget": "a", "RTarget": "b", "Operand": "="}]), "forces in-place update"),
        (with_task(Services=[{"Name": "s"}]), "forces in-place update"),
        (with_task(Lifecycle={"Hook": "prestart"}), "forces in-place update"),
        (with_task(Env={"A": "1"}), "forces create/destroy update"),
        (with_task(LogConfig={"MaxFiles": 3}), "forces create/destroy update"),
    ],
)
def test_a_changed_task_says_what_its_change_forces(new: dict[str, Any], want: str) -> None:
    """Kill timeouts, constraints and services change in place; the rest replaces."""
    found = diff(stored(with_task()), stored(new))
    annotate(found, {})
    assert found["TaskGroups"][0]["Tasks"][0]["Annotations"] == [want]


def test_updates_are_counted_in_words() -> None:
    """The scheduler's figures that are not zero come with a group, in the words of the command line."""
    found = diff(stored(job()), stored(job()))
    figures = {
        "Ignore": 1,
        "Place": 2,
        "Migrate": 3,
        "Stop": 4,
        "Canary": 5,
        "InPlaceUpdate": 6,
        "DestructiveUpdate": 7,
    }
    annotate(found, {"g": figures | {"Preemptions": 0}})
    words = ["ignore", "create", "migrate", "destroy", "canary", "in-place update", "create/destroy update"]
    assert found["TaskGroups"][0]["Updates"] == dict(zip(words, range(1, 8), strict=True))


def _kinds(found: dict[str, Any]) -> set[str]:
    kinds = {found["Type"]}
    for key in ("Fields", "Objects", "TaskGroups", "Tasks"):
        for one in found.get(key) or ():
            kinds |= _kinds(one)
    return kinds


@given(made_up_jobs())
def test_a_job_does_not_differ_from_itself(raw: dict[str, Any]) -> None:
    """Nothing shows, at any depth."""
    one = canonicalize(decode_job(raw))
    found = diff(one, json.loads(json.dumps(one)))
    assert _kinds(found) == {"None"}
    assert found["Fields"] is found["Objects"] is None


@given(made_up_jobs())
def test_a_job_that_comes_is_all_added_and_one_that_goes_all_deleted(raw: dict[str, Any]) -> None:
    """Coming and going are mirror images, and never edits."""
    one = canonicalize(decode_job(raw))
    come, gone = diff(None, one), diff(one, None)
    assert _kinds(come) <= {"Added", "None"}
    assert _kinds(gone) <= {"Deleted", "None"}
    turned = json.dumps(gone).replace('"Deleted"', '"Added"')
    assert [_names(come), _names(json.loads(turned))] == [_names(come)] * 2


def _names(found: dict[str, Any]) -> list[str]:
    names = [found.get("Name", "") + found["Type"]]
    for key in ("Fields", "Objects", "TaskGroups", "Tasks"):
        for one in found.get(key) or ():
            names += _names(one)
    return sorted(names)


@given(made_up_jobs(), made_up_jobs())
def test_any_two_jobs_can_be_compared(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The difference is plain JSON, and where it has a leaf the jobs do differ."""
    old, new = canonicalize(decode_job(one)), canonicalize(decode_job(other))
    found = diff(old, new)
    annotate(found, {group["Name"]: {"Place": 1} for group in new["TaskGroups"] or ()})
    json.dumps(found)
    assert spec_changed(old, new) or _kinds(found) <= {"None"} or old["ID"] != new["ID"]
    plain = diff(old, new, contextual=False)
    assert plain["Type"] == found["Type"]
