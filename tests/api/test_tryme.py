"""`/v1/try_me`: a module for ten minutes, for whoever has a token, and for anybody where a setting says so."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from herdsman.platform import PlatformConfig, TryMeConfig
from herdsman.platform.tryme import _network
from platforms import BASE, World, spec_of

TRY = "/v1/try_me"


def world(**config: Any) -> World:
    """A platform on which things may be tried."""
    settings: dict[str, Any] = {"namespace": "default", "anonymous": True, "starts": 100} | config
    return World(config=PlatformConfig(writes=10_000, try_me=TryMeConfig(**settings)))


def visitor(one: World, address: str = "192.0.2.1") -> TestClient:
    """Somebody without a token, from there."""
    return TestClient(one.app, base_url=BASE, client=(address, 5000))


def test_a_module_is_tried_by_its_name() -> None:
    """It runs with its defaults, on the nodes for that, and ends by itself after ten minutes."""
    one = world()
    answer = one.as_("trier").post(TRY, json={"module": "demo", "title": "Look"})
    id_ = answer.json()["job_ID"]
    one.settle()

    assert (answer.status_code, answer.headers["Location"]) == (201, f"{TRY}/{id_}")
    spec = spec_of(one, id_, "default")["spec"]
    assert (spec["expiresAfter"], spec["nodeType"], spec["priority"]) == (600.0, "tryme", 10)
    told = one.as_("trier").get(f"{TRY}/{id_}").json()
    assert (told["status"], told["title"], told["expires"]) == ("running", "Look", "2026-01-01T12:10:00Z")
    assert [d["job_ID"] for d in one.as_("trier").get(TRY).json()] == [id_]
    assert one.as_("trier").get("/v1/deployments/modules").json() == []

    one.harness.clock.advance(601)
    one.settle()
    assert one.as_("trier").get(f"{TRY}/{id_}").json()["status"] == "dead"
    assert one.harness.nomad.jobs == {}


@pytest.mark.parametrize(
    ("who", "module", "status"),
    [
        ("trier", "nothing", 404),
        ("trier", "bench", 404),
        ("trier", "../tools/bench", 404),
        ("trier", "modules/demo", 404),
        ("bob", "demo", 403),
        ("nobody", "demo", 403),
        ("wrong", "demo", 401),
        ("root", "demo", 201),
    ],
)
def test_who_may_try_what(who: str, module: str, status: int) -> None:
    """Modules and no tools, by whoever has the role where things are tried."""
    assert world().as_(who).post(TRY, json={"module": module}).status_code == status


def test_three_at_once_and_no_more() -> None:
    """The fourth is refused until one is ended or its time is over."""
    one = world()
    trier = one.as_("trier")
    ids = [trier.post(TRY, json={"module": "demo"}).json()["job_ID"] for _ in range(3)]
    refused = trier.post(TRY, json={"module": "demo"})
    assert (refused.status_code, "3 of 3" in refused.json()["detail"]) == (409, True)
    assert one.as_("root").post(TRY, json={"module": "demo"}).status_code == 201

    assert trier.delete(f"{TRY}/{ids[0]}").status_code == 204
    assert trier.post(TRY, json={"module": "demo"}).status_code == 201
    assert trier.post(TRY, json={"module": "demo"}).status_code == 409
    one.harness.clock.advance(601)
    assert trier.post(TRY, json={"module": "demo"}).status_code == 201


def test_a_full_house_says_when_to_come_again() -> None:
    """The limit on all of them fires, with the seconds until the first place is free."""
    one = world(most=2)
    assert one.as_("trier").post(TRY, json={"module": "demo"}).status_code == 201
    one.harness.clock.advance(100)
    assert visitor(one).post(TRY, json={"module": "demo"}).status_code == 201
    full = one.as_("root").post(TRY, json={"module": "demo"})

    assert (full.status_code, full.headers["Retry-After"]) == (503, "500")
    one.harness.clock.advance(501)
    assert one.as_("root").post(TRY, json={"module": "demo"}).status_code == 201


def test_nobody_needs_a_token_where_a_setting_says_so() -> None:
    """The owner is the address that asks, which stands nowhere; whoever asks from another knows of nothing."""
    one = world()
    here, there = visitor(one), visitor(one, "198.51.100.7")
    id_ = here.post(TRY, json={"module": "demo"}).json()["job_ID"]
    one.settle()

    assert here.get(f"{TRY}/{id_}").json()["status"] == "running"
    assert there.get(f"{TRY}/{id_}").status_code == 404
    assert there.delete(f"{TRY}/{id_}").status_code == 204
    assert here.get(f"{TRY}/{id_}").status_code == 200
    assert here.get(TRY).status_code == 401
    content = one.harness.files[f"deployments/default/{id_}.yaml"]
    assert b"192.0.2.1" not in (content if isinstance(content, bytes) else content.encode())
    assert here.delete(f"{TRY}/{id_}").status_code == 204
    assert here.get(f"{TRY}/{id_}").status_code == 404


def test_without_that_setting_a_token_is_needed() -> None:
    """Then nobody is anonymous, and where nothing may be tried at all, nothing is there."""
    assert visitor(world(anonymous=False)).post(TRY, json={"module": "demo"}).status_code == 401
    assert world(enabled=False).as_("root").post(TRY, json={"module": "demo"}).status_code == 404


def test_an_address_may_not_start_as_often_as_it_likes() -> None:
    """429 with the seconds to wait; others are not made to."""
    one = world(starts=2, per_owner=100)
    here = visitor(one)
    codes = [here.post(TRY, json={"module": "demo"}).status_code for _ in range(3)]
    last = here.post(TRY, json={"module": "demo"})

    assert codes == [201, 201, 429]
    assert last.headers["Retry-After"] == "30"
    assert visitor(one, "198.51.100.7").post(TRY, json={"module": "demo"}).status_code == 201
    one.harness.clock.advance(31)
    assert here.post(TRY, json={"module": "demo"}).status_code == 201


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"),
        ("fe80::1%eth0", "fe80::2", "::1"),
        ("nonsense", "", "127.0.0.1"),
    ],
)
def test_a_host_cannot_choose_among_many_addresses(address: str, same: str, other: str) -> None:
    """A network of 64 bits is one caller in IPv6, and IPv4 is IPv4 however it is written."""
    assert _network(address) == _network(same)
    assert _network(address) != _network(other)


def test_a_deployment_is_not_tried_and_what_is_tried_is_no_deployment_of_that_route() -> None:
    """An ID of the one is not known to the other."""
    one = world()
    id_ = one.as_("root").post("/v1/deployments/modules", json={"catalog": "demo", "vo": "lab"}).json()["job_ID"]

    assert one.as_("root").get(f"{TRY}/{id_}").status_code == 404
    assert one.as_("root").delete(f"{TRY}/{id_}").status_code == 204
    assert one.as_("root").get(f"/v1/deployments/modules/{id_}").status_code == 200


@pytest.mark.parametrize(("asked", "given"), [(None, 600.0), ("5m", 300.0), (60, 60.0), ("9h", 3600.0)])
def test_how_long_it_lasts(asked: Any, given: float) -> None:
    """As long as is asked for, within what is allowed."""
    one = world()
    body = {"module": "demo"} | ({"expires_after": asked} if asked else {})
    id_ = one.as_("trier").post(TRY, json=body).json()["job_ID"]

    assert spec_of(one, id_, "default")["spec"]["expiresAfter"] == given


def test_specs_of_what_was_over_long_ago_are_tidied_away() -> None:
    """With one commit, an hour after their end; what somebody put elsewhere, and what still runs, stays."""
    one = world()
    trier = one.as_("trier")
    ids = [trier.post(TRY, json={"module": "demo"}).json()["job_ID"] for _ in range(2)]
    one.order("ada", expires_after="1m")
    one.harness.clock.advance(600 + 3500)
    young = trier.post(TRY, json={"module": "demo"}).json()["job_ID"]
    one.settle()
    assert one.platform.try_me.tidy() == 0
    one.harness.clock.advance(200)
    commits = len(one.writer.requests)

    assert one.platform.try_me.tidy() == 2
    assert len(one.writer.requests) == commits + 1
    one.settle()
    assert one.platform.try_me.tidy() == 0
    assert [trier.get(f"{TRY}/{i}").status_code for i in (*ids, young)] == [404, 404, 200]
    assert len(one.as_("ada").get("/v1/deployments/modules").json()) == 1
