"""What a group's blocks imply: constraints, and the tasks and ports of Consul Connect."""

from typing import Any

import pytest

from devnomad.structs.jobs import SECOND, stored, task, with_group, with_task
from herdsman.devnomad.structs.canonical import canonicalize

NATIVE = "${attr.nomad.service_discovery} = true"
CHECKS = "${attr.nomad.version} semver >= 1.4.0"
CONSUL = "${attr.consul.version} semver >= 1.8.0"
PLUGINS = [
    f"${{attr.plugins.cni.version.{one}}} semver >= 0.4.0"
    for one in ("bridge", "firewall", "host-local", "loopback", "portmap")
]
CHECK = {"Type": "tcp", "Interval": SECOND, "Timeout": SECOND}

IMPLIED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": (with_group(), []),
    "a native service": (with_group(Services=[{"Name": "s", "Provider": "nomad"}]), [NATIVE]),
    "a native service of a task": (with_task(Services=[{"Name": "s", "Provider": "nomad"}]), [NATIVE]),
    "a native service with checks": (
        with_group(Services=[{"Name": "s", "Provider": "nomad", "Checks": [CHECK]}]),
        [NATIVE, CHECKS],
    ),
    "a Consul service": (with_group(Services=[{"Name": "s"}, {"Name": "r"}]), [CONSUL]),
    "another Consul cluster": (
        with_group(Services=[{"Name": "s", "Cluster": "c2"}]),
        ["${attr.consul.c2.version} semver >= 1.8.0"],
    ),
    "a bridge": (with_group(Networks=[{"Mode": "bridge"}]), PLUGINS),
    "a host network": (with_group(Networks=[{"Mode": "host"}]), []),
    "a kill signal": (with_task(KillSignal="SIGINT"), ["${attr.os.signals} set_contains SIGINT"]),
    "several signals": (
        with_group(
            Tasks=[
                task(KillSignal="SIGUSR1", Templates=[{"DestPath": "a", "ChangeMode": "signal"}]),
                task("u", KillSignal="SIGHUP"),
            ]
        ),
        ["${attr.os.signals} set_contains SIGHUP,SIGUSR1"],
    ),
    "a signal that is not sent": (
        with_task(Templates=[{"DestPath": "a", "ChangeMode": "restart", "ChangeSignal": "SIGHUP"}]),
        [],
    ),
    "Vault": (with_task(Vault={"Policies": ["a"]}), ["${attr.vault.version} semver >= 0.6.1"]),
    "nodes of memory": (
        with_task(Resources={"CPU": 20, "MemoryMB": 16, "NUMA": {"Affinity": "require"}}),
        ["${attr.nomad.version} semver >= 1.7.1", "${attr.kernel.name} = linux"],
    ),
    "a proxy that all traffic takes": (
        with_group(
            Networks=[{"Mode": "bridge"}],
            Services=[{"Name": "s", "Connect": {"SidecarService": {"Proxy": {"TransparentProxy": {}}}}}],
        ),
        [CONSUL, *PLUGINS, "${attr.plugins.cni.version.consul-cni} semver >= 1.4.2"],
    ),
}


def _constraints(job: dict[str, Any]) -> list[str]:
    found = job["TaskGroups"][0]["Constraints"] or []
    return [f"{one['LTarget']} {one['Operand']} {one['RTarget']}" for one in found]


@pytest.mark.parametrize(("wanted", "want"), IMPLIED.values(), ids=IMPLIED)
def test_a_group_gets_the_constraints_that_its_blocks_imply(wanted: dict[str, Any], want: list[str]) -> None:
    """A node must be able to do what the group asks for; asking again adds nothing."""
    once = stored(wanted)
    assert _constraints(once) == want
    assert _constraints(canonicalize(once)) == want


def test_constraints_of_the_group_come_first() -> None:
    """What the group says stays where it is, and an implied constraint that it says already is not added."""
    own = {"LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "="}
    said = {"LTarget": "${attr.nomad.service_discovery}", "RTarget": "true", "Operand": "="}
    wanted = with_group(Constraints=[said, own], Services=[{"Name": "s", "Provider": "nomad"}])
    assert _constraints(stored(wanted)) == [NATIVE, "${attr.kernel.name} = linux"]


def _meshed(**connect: Any) -> dict[str, Any]:
    services = [{"Name": "api", "PortLabel": "9001", "Connect": connect}]
    return stored(with_group(Networks=[{"Mode": "bridge"}], Services=services))["TaskGroups"][0]


def test_a_sidecar_service_brings_an_envoy_task_and_a_port() -> None:
    """The task is the documented one; the port is the same inside and outside of the network."""
    found = _meshed(SidecarService={})
    envoy = found["Tasks"][1]
    assert (envoy["Name"], envoy["Kind"], envoy["Driver"]) == ("connect-proxy-api", "connect-proxy:api", "docker")
    assert envoy["Lifecycle"] == {"Hook": "prestart", "Sidecar": True}
    assert envoy["Config"]["image"] == "${meta.connect.sidecar_image}"
    assert [envoy["Resources"][key] for key in ("CPU", "MemoryMB")] == [250, 128]
    assert envoy["LogConfig"] == {"MaxFiles": 2, "MaxFileSizeMB": 2, "Disabled": False}
    assert envoy["ShutdownDelay"] == 5 * SECOND
    assert envoy["RestartPolicy"] == found["RestartPolicy"]
    assert found["Networks"][0]["DynamicPorts"] == [{"Label": "connect-proxy-api", "To": -1, "HostNetwork": "default"}]


def test_a_sidecar_task_says_how_the_envoy_task_is_to_be() -> None:
    """Resources, name, environment and configuration of the service's own choice win."""
    own = {"Name": "side", "Env": {"A": "1"}, "Config": {"image": "mine"}, "Resources": {"CPU": 500, "MemoryMB": 64}}
    envoy = _meshed(SidecarService={}, SidecarTask=own)["Tasks"][1]
    assert (envoy["Name"], envoy["Env"], envoy["Kind"]) == ("side", {"A": "1"}, "connect-proxy:api")
    assert envoy["Config"]["image"] == "mine"
    assert "--disable-hot-restart" in envoy["Config"]["args"]
    assert [envoy["Resources"][key] for key in ("CPU", "MemoryMB")] == [500, 64]


def test_another_driver_takes_its_own_configuration_only() -> None:
    """Envoy's arguments for Docker mean nothing to another driver."""
    envoy = _meshed(SidecarService={}, SidecarTask={"Driver": "exec", "Config": {"command": "envoy"}})["Tasks"][1]
    assert (envoy["Driver"], envoy["Config"]) == ("exec", {"command": "envoy"})


@pytest.mark.parametrize("kind", ["Ingress", "Terminating", "Mesh"])
def test_a_gateway_is_an_envoy_task_of_its_own(kind: str) -> None:
    """It is no sidecar of anything, so it has no lifecycle."""
    envoy = _meshed(Gateway={kind: {}})["Tasks"][1]
    name = kind.lower()
    assert (envoy["Name"], envoy["Kind"]) == (f"connect-{name}-api", f"connect-{name}:api")
    assert envoy["Config"]["image"] == "${meta.connect.gateway_image}"
    assert envoy["Lifecycle"] is None


def test_the_task_behind_a_native_service_is_marked() -> None:
    """Where there is one task only, it need not be named."""
    found = _meshed(Native=True)
    assert found["Services"][0]["TaskName"] == "t"
    assert found["Tasks"][0]["Kind"] == "connect-native:api"
