"""What a user is shown of a job: resources of its main task, and the addresses that it answers at."""

from typing import Any

import pytest

from herdsman.model.desired import Order
from herdsman.model.keys import job_key
from herdsman.model.placements import PortAddress
from herdsman.platform.shape import Resources, addresses, asked_for, shape_of
from platforms import entries, placement

KEY = job_key("lab", "d")


def service(port: str, *tags: str) -> dict[str, Any]:
    """A service of a group."""
    return {"Name": f"d-{port}", "PortLabel": port, "Tags": list(tags)}


def job(*services: dict[str, Any], tasks: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A job with one group."""
    return {"TaskGroups": [{"Services": list(services), "Tasks": tasks or [{"Name": "main"}]}]}


@pytest.mark.parametrize(
    ("services", "domain", "node", "placed", "expected"),
    [
        ([service("ui", "r.rule=Host(`ui-d.x.org`)")], "x.org", "", False, {"ui": "https://ui-d.x.org"}),
        (
            [service("fl", "r.rule=HostSNI(`fl-d.x.org`)"), service("ui", "Host(`a.x.org`) || Host(`www.a.x.org`)")],
            "x.org",
            "",
            False,
            {"fl": "https://fl-d.x.org", "ui": "https://a.x.org"},
        ),
        ([service("deepaas", "r.rule=Host(`d.x.org`)")], "x.org", "", False, {"api": "https://d.x.org/ui"}),
        (
            [service("api", "r.rule=Host(`d.x.org`)", "herdsman.path=/v2")],
            "x.org",
            "",
            False,
            {"api": "https://d.x.org/v2"},
        ),
        ([service("ui", "r.rule=Host(`d.${meta.domain}-x.org`)")], "x.org", "", False, {}),
        ([service("ui", "r.rule=Host(`d.${meta.domain}-x.org`)")], "x.org", "n", True, {"ui": "https://d.n-x.org"}),
        ([service("api", "r.rule=Host(`d.localhost`)")], "localhost", "", False, {}),
        ([service("api", "r.rule=Host(`d.localhost`)")], "localhost", "", True, {"api": "http://10.0.0.1:2000/ui"}),
        ([service("nowhere")], "x.org", "", True, {}),
    ],
)
def test_endpoints_are_services_by_their_ports(
    services: list[dict[str, Any]], domain: str, node: str, placed: bool, expected: dict[str, str]
) -> None:
    """The first host of the routing rule; the node's own domain once it is known; the node where nothing routes."""
    shape = shape_of(job(*services))

    assert addresses(shape, domain=domain, node_domain=node, placement=placement(KEY) if placed else None) == expected


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    """Else a browser would take its last part for a port."""
    there = placement(KEY, ports={"ui": PortAddress("fd00::1", 80)})
    found = addresses(shape_of(job(service("ui"))), domain="localhost", node_domain="", placement=there)

    assert found == {"ui": "http://[fd00::1]:80"}


@pytest.mark.parametrize(
    ("tasks", "main", "resources"),
    [
        (
            [{"Name": "other"}, {"Name": "main", "Resources": {"Cores": 2, "MemoryMB": 64}}],
            "main",
            Resources(2, 0, 0, 64, 300),
        ),
        ([{"Name": "pre", "Lifecycle": {"Hook": "prestart"}}, {"Name": "w"}], "w", Resources(0, 100, 0, 300, 300)),
        ([{"Name": "only", "Lifecycle": {"Hook": "prestart"}}], "only", Resources(0, 100, 0, 300, 300)),
        (
            [{"Name": "main", "Resources": {"CPU": 50, "Devices": [{"Name": "gpu", "Count": 2}]}}],
            "main",
            Resources(0, 50, 2, 300, 300),
        ),
    ],
)
def test_resources_are_those_of_the_main_task(tasks: list[dict[str, Any]], main: str, resources: Resources) -> None:
    """The task called main; without one, the first that is no helper."""
    shape = shape_of(job(tasks=tasks))

    assert (shape.main, shape.resources) == (main, resources)


def test_a_job_that_was_never_made_shows_what_was_asked_for() -> None:
    """Values of parameters that stand for resources, given or by default."""
    order = Order(KEY, "modules/demo", "ada", values={"hardware": {"cpu_num": 3}})

    found = asked_for(order, entries().entries["modules/demo"]).resources
    assert (found.cpu_num, found.memory_mb) == (3, 500)
    assert asked_for(order, None).resources == Resources()


@pytest.mark.parametrize("body", [{}, {"TaskGroups": []}, {"TaskGroups": [{}]}, {"TaskGroups": [{"Tasks": None}]}])
def test_a_job_without_anything_has_a_shape(body: dict[str, Any]) -> None:
    """Nothing that Nomad may answer is too little."""
    assert shape_of(body).endpoints == ()
