"""What becomes of blocks and arguments that the recordings do not show."""

from __future__ import annotations

import pytest

from herdsman.jobspec import parse

from .conftest import Evaluate

_AROUND = {
    "job": 'job "j" {{\n{}\n}}\n',
    "group": 'job "j" {{\n group "g" {{\n{}\n }}\n}}\n',
    "task": 'job "j" {{\n group "g" {{\n  task "t" {{\n{}\n  }}\n }}\n}}\n',
}
_PREFIX = {"job": "", "group": "TaskGroups.0.", "task": "TaskGroups.0.Tasks.0."}


def found(level: str, text: str, path: str) -> object:
    """What a job, group or task with this inside has at a place of its JSON form; " / " starts a new line."""
    value: object = parse(_AROUND[level].format(text.replace(" / ", "\n")))
    for step in (_PREFIX[level] + path).split("."):
        if isinstance(value, list):
            value = value[int(step)]
        else:
            assert isinstance(value, dict)
            value = value[step]
    return value


JOB = [
    ('id = "a" / name = "b"', "ID", "a"),
    ("", "ID", "j"),
    ("", "TaskGroups", None),
    ("priority = null", "Priority", None),
    ('priority = "70"', "Priority", 70),
    ('all_at_once = "1"', "AllAtOnce", True),
    ('datacenters = ["a", 1, true]', "Datacenters", ["a", "1", "true"]),
    ("datacenters = convert([2, 1], set(number))", "Datacenters", ["1", "2"]),
    ('meta = { "a.b" = 1, c = true, d = null }', "Meta", {"a.b": "1", "c": "true"}),
    ('meta { / a = 1 / b = "${attr.x}" / }', "Meta", {"a": "1", "b": "${attr.x}"}),
    ('ui { / description = "d" / link { / label = "l" / url = "u" / } / }', "UI.Links", [{"Label": "l", "URL": "u"}]),
    ("periodic { / cron = 5 / }", "Periodic.Spec", "5"),
    ('task "lone" { / driver = "d" / }', "TaskGroups.0.Name", "lone"),
    ('task "lone" { / driver = "d" / }', "TaskGroups.0.Tasks.0.Driver", "d"),
    ('task "lone" { / } / group "g" { / }', "TaskGroups.1.Name", "g"),
    ('vault { / role = "r" / } / group "g" { / task "t" { / } / }', "TaskGroups.0.Tasks.0.Vault.Role", "r"),
    ('secret "s" { / provider = "p" / } / task "t" { / }', "TaskGroups.0.Tasks.0.Secrets.0.Name", "s"),
    ('constraint { / attribute = "a" / version = ">= 1" / }', "Constraints.0.Operand", "version"),
    (
        "constraint { / distinct_hosts = true / }",
        "Constraints.0",
        {"LTarget": "", "Operand": "distinct_hosts", "RTarget": "true"},
    ),
    (
        'constraint { / distinct_property = "p" / value = 2 / }',
        "Constraints.0",
        {"LTarget": "p", "Operand": "distinct_property", "RTarget": "2"},
    ),
    (
        'constraint { / attribute = "a" / operator = "is_set" / }',
        "Constraints.0",
        {"LTarget": "a", "Operand": "is_set", "RTarget": ""},
    ),
    (
        'affinity { / attribute = "a" / set_contains_any = "x" / weight = -50 / }',
        "Affinities.0",
        {"LTarget": "a", "Operand": "set_contains_any", "RTarget": "x", "Weight": -50},
    ),
]


@pytest.mark.parametrize(("text", "path", "value"), JOB)
def test_job(text: str, path: str, value: object) -> None:
    """What is written in a job is found in its JSON form."""
    assert found("job", text, path) == value


GROUP = [
    ('shutdown_delay = "1.5s"', "ShutdownDelay", 1_500_000_000),
    ('shutdown_delay = "1h2m3s4ms5us6ns"', "ShutdownDelay", 3_723_004_005_006),
    ('shutdown_delay = "-.5s"', "ShutdownDelay", -500_000_000),
    ('shutdown_delay = "0"', "ShutdownDelay", 0),
    ("shutdown_delay = 5", "ShutdownDelay", 5),
    ('restart { / interval = "30m" / } / task "t" { / }', "RestartPolicy.Interval", 1_800_000_000_000),
    (
        'network { / port "a" { / static = "8889" / } / port "b" { / to = 80 / } / }',
        "Networks.0.ReservedPorts.0.Value",
        8889,
    ),
    ('network { / port "a" { / static = 1 / } / port "b" { / to = 80 / } / }', "Networks.0.DynamicPorts.0.Label", "b"),
    ('network { / port "a" {} / }', "Networks.0.ReservedPorts", None),
    ("network { / cni { / args = { a = 1 } / } / }", "Networks.0.CNI.Args", {"a": "1"}),
    ('volume "v" { / type = "csi" / } / volume "w" { / }', "Volumes.v.Type", "csi"),
    (
        'volume "v" { / mount_options { / mount_flags = ["ro"] / } / }',
        "Volumes.v.MountOptions",
        {"FSType": "", "MountFlags": ["ro"]},
    ),
    (
        'scaling { / max = 5 / policy { / check "a" { / source = "s" / strategy "t" { / target = 1 / } / } / } / }',
        "Scaling.Policy",
        {"check": [{"a": [{"source": "s", "strategy": [{"t": [{"target": 1}]}]}]}]},
    ),
    (
        'vault { / role = "g" / } / task "a" { / } / task "b" { / vault { / role = "own" / } / }',
        "Tasks.0.Vault.Role",
        "g",
    ),
    (
        'vault { / role = "g" / } / task "a" { / } / task "b" { / vault { / role = "own" / } / }',
        "Tasks.1.Vault.Role",
        "own",
    ),
    (
        'secret "s" { / path = "outer" / } / task "a" { / secret "s" { / path = "own" / } / }',
        "Tasks.0.Secrets",
        [{"Name": "s", "Provider": "", "Path": "own", "Config": None, "Env": None}],
    ),
]


@pytest.mark.parametrize(("text", "path", "value"), GROUP)
def test_group(text: str, path: str, value: object) -> None:
    """What is written in a group is found in its JSON form."""
    assert found("group", text, path) == value


TASK = [
    ("", "Identity", None),
    ("identity { / env = true / }", "Identity.Env", True),
    ('identity { / name = "default" / } / identity { / name = "x" / }', "Identities.0.Name", "x"),
    ('csi_plugin { / id = "p" / }', "CSIPluginConfig.ID", "p"),
    (
        'schedule { / cron { / start = "a" / end = "b" / timezone = "UTC" / } / }',
        "Schedule.Cron",
        {"Start": "a", "End": "b", "Timezone": "UTC"},
    ),
    (
        'template { / data = "x" / change_script { / command = "c" / } / }',
        "Templates.0.ChangeScript",
        {"Command": "c", "Args": [], "Timeout": 5_000_000_000, "FailOnError": False, "RunOnFirstRender": False},
    ),
    ('resources { / network { / mbits = 10 / port "http" {} / } / }', "Resources.Networks.0.MBits", 10),
    ('resources { / device "nvidia/gpu" { / count = 2 / } / }', "Resources.Devices.0.Name", "nvidia/gpu"),
    ('env = { A = 1, "b.c" = "${attr.x}" }', "Env", {"A": "1", "b.c": "${attr.x}"}),
    ("env { / A = 1.0 / B = false / }", "Env", {"A": "1", "B": "false"}),
    ('action "a" { / command = "c" / } / action "b" { / }', "Actions.1.Name", "b"),
    ('scaling "cpu" { / }', "ScalingPolicies.0.Type", "vertical_cpu"),
    ("vault { / }", "Vault.ChangeMode", "restart"),
    ('artifact { / source = "s" / options { / depth = 1 / } / }', "Artifacts.0.GetterOptions", {"depth": "1"}),
]


@pytest.mark.parametrize(("text", "path", "value"), TASK)
def test_task(text: str, path: str, value: object) -> None:
    """What is written in a task is found in its JSON form."""
    assert found("task", text, path) == value


def test_only_a_task_with_a_csi_plugin_speaks_of_one() -> None:
    """The key is absent, not null, in any other task."""
    assert "CSIPluginConfig" not in str(parse(_AROUND["task"].format("")))


CONFIG = [
    ("a = 1 / b = 1.5 / c = true / d = null", {"a": 1, "b": 1.5, "c": True, "d": None}),
    ('a = ["x", 1, [true]]', {"a": ["x", 1, [True]]}),
    ("a = { b = { c = 1 } }", {"a": [{"b": {"c": 1}}]}),
    ("a { / b = 1 / }", {"a": [{"b": 1}]}),
    ("a { / b = 1 / } / a { / b = 2 / }", {"a": [{"b": 1}, {"b": 2}]}),
    ('a "x" { / b = 1 / }', {"a": [{"x": [{"b": 1}]}]}),
    ('a "x" "y" { / }', {"a": [{"x": [{"y": [{}]}]}]}),
    ("a { / b { / c = [1] / } / }", {"a": [{"b": [{"c": [1]}]}]}),
]


@pytest.mark.parametrize(("text", "config"), CONFIG)
def test_config(text: str, config: object) -> None:
    """A driver's config is taken as it is; blocks and objects in it become lists of objects."""
    assert found("task", f"config {{ / {text} / }}", "Config") == config


_SERVICE = 'service {{ / name = "s" / connect {{ / {} / }} / }}'
CONNECT = [
    ("native = true", "Native", True),
    ("gateway { / mesh { / } / }", "Gateway.Mesh", {}),
    ('gateway { / proxy { / connect_timeout = "5s" / } / }', "Gateway.Proxy.ConnectTimeout", 5_000_000_000),
    (
        'gateway { / proxy { / envoy_gateway_bind_addresses "a" { / address = "x" / port = 1 / } / } / }',
        "Gateway.Proxy.EnvoyGatewayBindAddresses.a",
        {"Name": "a", "Address": "x", "Port": 1},
    ),
    (
        'gateway { / terminating { / service { / name = "x" / sni = "y" / } / } / }',
        "Gateway.Terminating.Services.0",
        {"Name": "x", "CAFile": "", "CertFile": "", "KeyFile": "", "SNI": "y"},
    ),
    (
        'gateway { / ingress { / tls { / enabled = true / cipher_suites = ["a"] / sds { / cluster_name = "c" '
        "/ } / } / } / }",
        "Gateway.Ingress.TLS.SDS.ClusterName",
        "c",
    ),
    (
        'gateway { / ingress { / listener { / port = 80 / service { / name = "w" / hosts = ["h"] '
        '/ request_headers { / add { / a = 1 / } / remove = ["b"] / } / } / } / } / }',
        "Gateway.Ingress.Listeners.0.Services.0.RequestHeaders",
        {"Add": {"a": "1"}, "Set": None, "Remove": ["b"]},
    ),
    (
        'sidecar_service { / proxy { / transparent_proxy { / exclude_outbound_ports = [80, "443"] / } / } / }',
        "SidecarService.Proxy.TransparentProxy.ExcludeOutboundPorts",
        [80, 443],
    ),
    (
        'sidecar_service { / proxy { / upstreams { / destination_name = "a" / config { / x = 1 / } / } / } / }',
        "SidecarService.Proxy.Upstreams.0.Config",
        {"x": 1},
    ),
    ("sidecar_task { / resources { / cpu = 5 / } / }", "SidecarTask.Resources.CPU", 5),
]


@pytest.mark.parametrize(("text", "path", "value"), CONNECT)
def test_connect(text: str, path: str, value: object) -> None:
    """Gateways and sidecars are found in a service's JSON form."""
    assert found("group", _SERVICE.format(text), f"Services.0.Connect.{path}") == value


DYNAMIC = [
    ('dynamic "env" { / for_each = [1] / content { / A = env.value / } / }', "Env", {"A": "1"}),
    (
        'dynamic "action" { / for_each = { b = "x", a = "y" } / labels = [action.key] / content { '
        "/ command = action.value / } / }",
        "Actions",
        [{"Name": "a", "Command": "y", "Args": None}, {"Name": "b", "Command": "x", "Args": None}],
    ),
    (
        'dynamic "artifact" { / for_each = convert(["b", "a"], set(string)) / iterator = it / content { '
        '/ source = "${it.key}${it.value}" / } / }',
        "Artifacts.1.GetterSource",
        "bb",
    ),
    (
        'resources { / dynamic "device" { / for_each = [1, 2] / labels = ["d${device.key}"] / content { '
        '/ dynamic "constraint" { / for_each = ["x"] / content { '
        '/ attribute = "${constraint.value}${device.value}" / } / } / } / } / }',
        "Resources.Devices.1.Constraints.0.LTarget",
        "x2",
    ),
    ('dynamic "artifact" { / for_each = [] / content { / } / }', "Artifacts", None),
    (
        'artifact { / source = "first" / } / dynamic "artifact" { / for_each = ["a"] / content { '
        '/ source = artifact.value / } / } / artifact { / source = "last" / }',
        "Artifacts.1.GetterSource",
        "a",
    ),
]


@pytest.mark.parametrize(("text", "path", "value"), DYNAMIC)
def test_dynamic(text: str, path: str, value: object) -> None:
    """A dynamic block stands for one block an element, at its place among the others."""
    assert found("task", text, path) == value


def test_a_dynamic_block_may_make_whole_groups() -> None:
    """What a dynamic block makes sees the iterator at any depth."""
    job = parse(
        'job "j" {\n  dynamic "group" {\n    for_each = ["a", "b"]\n    labels   = [group.value]\n    content {\n'
        '      task "t" {\n        driver = "d"\n        config {\n          name = group.value\n        }\n      }\n'
        "    }\n  }\n}\n"
    )
    groups = job["TaskGroups"]
    assert isinstance(groups, list)
    assert [(group["Name"], group["Tasks"][0]["Config"]) for group in groups] == [
        ("a", {"name": "a"}),
        ("b", {"name": "b"}),
    ]


def test_numbers_that_fit_no_machine_word_are_floats(evaluate: Evaluate) -> None:
    """In a config, where nothing says what is wanted, a very large number loses digits as it does in JSON."""
    assert evaluate("18446744073709551616") == 18446744073709551616.0
