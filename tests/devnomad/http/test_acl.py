"""Access control: tokens, policies, roles, and what they allow."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from devnomad.support import SECOND, Api, group, job, serving

READ = 'namespace "default" { policy = "read" }'
WRITE = 'namespace "default" { policy = "write" }'


@pytest.fixture(scope="module")
def boss() -> Iterator[Api]:
    """A server with access control, and who may do everything."""
    with serving(acl=True) as api:
        api.token = api.put("/v1/acl/bootstrap")["SecretID"]
        yield api


def _policy(boss: Api, name: str, rules: str) -> str:
    boss.put(f"/v1/acl/policy/{name}", {"Name": name, "Rules": rules})
    return name


def _bearer(boss: Api, *policies: str, **more: Any) -> Api:
    body = {"Name": "test", "Type": "client", "Policies": list(policies)} | more
    return Api(boss.port, token=boss.put("/v1/acl/token", body)["SecretID"])


def _allowed(boss: Api, rules: str) -> Api:
    """Somebody with just these rules."""
    return _bearer(boss, _policy(boss, f"p{abs(hash(rules))}", rules))


# -- bootstrap -----------------------------------------------------------------------------------------------------
def test_bootstrap_works_once() -> None:
    """The first caller gets a management token, with the secret it brings; the next is refused."""
    secret = "2b778dd9-f5f1-6f29-b4b4-9a5fa948757a"
    with serving(acl=True) as api:
        assert api.call("PUT", "/v1/acl/bootstrap", {"BootstrapSecret": "short"}).status == 400
        token = api.put("/v1/acl/bootstrap", {"BootstrapSecret": secret})
        assert (token["SecretID"], token["Type"], token["Global"]) == (secret, "management", True)
        again = api.call("PUT", "/v1/acl/bootstrap")
        assert again.status == 400
        assert f"reset index: {token['CreateIndex']}" in again.body


def test_without_access_control_there_is_nothing_to_manage(nomad: Api) -> None:
    """Where access control is off, everybody may do everything, and the calls about it say so."""
    for method, path in (
        ("PUT", "/v1/acl/bootstrap"),
        ("GET", "/v1/acl/tokens"),
        ("GET", "/v1/acl/policies"),
        ("GET", "/v1/acl/roles"),
        ("GET", "/v1/acl/token/self"),
    ):
        answer = nomad.call(method, path)
        assert (answer.status, answer.body) == (400, "ACL support disabled")
    assert nomad.call("GET", "/v1/jobs", headers={"X-Nomad-Token": "whatever"}).status == 200


# -- who may do what -----------------------------------------------------------------------------------------------
ID = "00000000-0000-0000-0000-000000000000"
NEEDS = [
    ("GET", "/v1/jobs", None, 'namespace "default" { capabilities = ["list-jobs"] }'),
    ("GET", "/v1/job/x", None, 'namespace "default" { capabilities = ["read-job"] }'),
    ("GET", "/v1/job/x/allocations", None, READ),
    ("GET", "/v1/job/x/versions", None, READ),
    ("GET", "/v1/job/x/submission?version=0", None, READ),
    ("GET", "/v1/job/x/scale", None, 'namespace "default" { capabilities = ["read-job-scaling"] }'),
    ("PUT", "/v1/jobs", {"Job": job("x", group(count=0))}, WRITE),
    ("PUT", "/v1/job/x/plan", {"Job": job("x")}, 'namespace "default" { capabilities = ["plan-job"] }'),
    ("DELETE", "/v1/job/none", None, 'namespace "default" { capabilities = ["submit-job"] }'),
    ("PUT", "/v1/jobs/parse", {"JobHCL": 'job "x" {}'}, 'namespace "default" { capabilities = ["parse-job"] }'),
    ("PUT", "/v1/job/x/scale", {}, 'namespace "default" { policy = "scale" }'),
    ("PUT", "/v1/job/x/dispatch", {}, 'namespace "default" { capabilities = ["dispatch-job"] }'),
    ("GET", "/v1/allocations", None, READ),
    ("GET", f"/v1/allocation/{ID}", None, READ),
    ("PUT", f"/v1/allocation/{ID}/stop", None, 'namespace "default" { capabilities = ["alloc-lifecycle"] }'),
    (
        "GET",
        f"/v1/client/fs/logs/{ID}?task=t&type=stdout",
        None,
        'namespace "default" { capabilities = ["read-logs"] }',
    ),
    ("GET", f"/v1/client/fs/ls/{ID}", None, 'namespace "default" { capabilities = ["read-fs"] }'),
    ("GET", "/v1/evaluations", None, READ),
    ("GET", "/v1/deployments", None, READ),
    ("PUT", f"/v1/deployment/fail/{ID}", None, WRITE),
    ("GET", "/v1/nodes", None, 'node { policy = "read" }'),
    ("PUT", f"/v1/node/{ID}/eligibility", {"Eligibility": "eligible"}, 'node { policy = "write" }'),
    ("GET", "/v1/agent/self", None, 'agent { policy = "read" }'),
    ("GET", "/v1/agent/members", None, 'node { policy = "read" }'),
    ("GET", "/v1/operator/scheduler/configuration", None, 'operator { policy = "read" }'),
    ("PUT", "/v1/operator/scheduler/configuration", {}, 'operator { policy = "write" }'),
    ("GET", "/v1/var/a", None, 'namespace "default" { variables { path "a" { capabilities = ["read"] } } }'),
    (
        "PUT",
        "/v1/var/a",
        {"Items": {"a": "b"}},
        'namespace "default" { variables { path "a" { capabilities = ["write"] } } }',
    ),
    ("DELETE", "/v1/var/a", None, 'namespace "default" { variables { path "*" { capabilities = ["destroy"] } } }'),
    ("GET", "/v1/scaling/policies", None, 'namespace "default" { policy = "scale" }'),
    ("GET", "/v1/node/pool/default", None, 'node_pool "def*" { policy = "read" }'),
    ("PUT", "/v1/node/pools", {"Name": "mine"}, 'node_pool "mine" { policy = "write" }'),
    ("GET", "/v1/event/stream?topic=Node:none&index=1", None, 'node { policy = "read" }'),
]


@pytest.mark.parametrize(("method", "path", "body", "rules"), NEEDS, ids=[f"{n[0]} {n[1]}" for n in NEEDS])
def test_a_right_is_needed_and_enough(boss: Api, method: str, path: str, body: object, rules: str) -> None:
    """Without the right a request is denied; with it, it is not."""
    nobody, somebody = _allowed(boss, 'quota { policy = "read" }'), _allowed(boss, rules)
    refused = nobody.call(method, path, body)
    assert (refused.status, refused.body) == (403, "Permission denied")
    if "/event/" in path:
        assert somebody.lines(path, until=lambda _: True) == []
    else:
        assert somebody.call(method, path, body).status != 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/namespace", {"Name": "x"}),
        ("DELETE", "/v1/namespace/x", None),
        ("GET", "/v1/acl/tokens", None),
        ("PUT", "/v1/acl/token", {"Type": "management"}),
        ("PUT", "/v1/acl/policy/x", {"Name": "x"}),
        ("PUT", "/v1/acl/role", {"Name": "x"}),
        ("PUT", "/v1/system/gc", None),
        ("GET", "/v1/event/stream", None),
    ],
)
def test_some_things_are_for_managers(boss: Api, method: str, path: str, body: object) -> None:
    """No policy gives what only management tokens may."""
    strong = _allowed(
        boss, 'namespace "*" { policy = "write" } node { policy = "write" } operator { policy = "write" }'
    )
    assert strong.call(method, path, body).status == 403


def test_a_wrong_token_is_denied(boss: Api) -> None:
    """A secret that nobody has is worse than none."""
    answer = Api(boss.port, token=ID).call("GET", "/v1/jobs")

    assert (answer.status, answer.body) == (403, "Permission denied")


def test_a_bearer_header_is_a_token(boss: Api) -> None:
    """The token may come as `Authorization: Bearer`."""
    answer = Api(boss.port).call("GET", "/v1/jobs", headers={"Authorization": f"Bearer {boss.token}"})
    assert answer.status == 200


def test_the_anonymous_policy_is_for_everybody(boss: Api) -> None:
    """Who brings no token may do what the policy `anonymous` says."""
    anybody = Api(boss.port)
    assert anybody.call("GET", "/v1/jobs").status == 403
    _policy(boss, "anonymous", READ)
    assert anybody.call("GET", "/v1/jobs").status == 200
    assert anybody.call("PUT", "/v1/jobs", {"Job": job("x")}).status == 403
    boss.delete("/v1/acl/policy/anonymous")
    assert anybody.call("GET", "/v1/jobs").status == 403


@pytest.mark.parametrize("path", ["/v1/status/leader", "/v1/regions", "/v1/agent/health", "/v1/metrics"])
def test_some_things_are_for_everybody(boss: Api, path: str) -> None:
    """Whether the server is there is no secret."""
    assert Api(boss.port).call("GET", path).status == 200


def test_lists_show_what_one_may_see(boss: Api) -> None:
    """A list of all namespaces leaves out those that the token may not read."""
    for name in ("seen", "hidden"):
        boss.put("/v1/namespace", {"Name": name})
        boss.call("PUT", f"/v1/jobs?namespace={name}", {"Job": job(f"in-{name}", group(count=0))})
        boss.put(f"/v1/var/v?namespace={name}", {"Items": {"a": "b"}})
    rules = 'namespace "seen" { policy = "read" variables { path "*" { capabilities = ["list"] } } }'
    somebody = _allowed(boss, rules)

    assert [row["ID"] for row in somebody.get("/v1/jobs?namespace=*")] == ["in-seen"]
    assert {row["Namespace"] for row in somebody.get("/v1/evaluations?namespace=*")} == {"seen"}
    assert [row["Namespace"] for row in somebody.get("/v1/vars?namespace=*")] == ["seen"]
    assert [row["Name"] for row in somebody.get("/v1/namespaces")] == ["seen"]
    found = somebody.put("/v1/search?namespace=*", {"Prefix": "in-", "Context": "jobs"})["Matches"]
    assert found == {"jobs": ["in-seen"]}
    assert somebody.call("GET", "/v1/namespace/hidden").status == 403


def test_what_one_policy_denies_no_other_gives(boss: Api) -> None:
    """Of several policies the denial wins, in the namespace it is about."""
    _policy(boss, "gives", 'namespace "*" { policy = "write" } node { policy = "write" }')
    _policy(boss, "denies", 'namespace "*" { policy = "deny" } node { policy = "deny" }')
    both = _bearer(boss, "gives", "denies")

    assert both.call("GET", "/v1/jobs").status == 403
    assert both.call("GET", "/v1/nodes").status == 403


def test_the_closest_pattern_counts(boss: Api) -> None:
    """An exact name beats a pattern, a longer pattern a shorter one."""
    for name in ("prod-eu", "prod-us"):
        boss.put("/v1/namespace", {"Name": name})
    rules = (
        'namespace "*" { policy = "write" } namespace "prod-*" { policy = "read" } '
        'namespace "prod-us" { capabilities = ["deny"] }'
    )
    somebody = _allowed(boss, rules)

    def may_write(namespace: str) -> bool:
        body = {"Job": job("x", group(count=0))}
        return somebody.call("PUT", f"/v1/job/x/plan?namespace={namespace}", body).status != 403

    assert [may_write(name) for name in ("default", "prod-eu", "prod-us")] == [True, False, False]
    assert somebody.call("GET", "/v1/jobs?namespace=prod-eu").status == 200
    assert somebody.call("GET", "/v1/jobs?namespace=prod-us").status == 403


def test_who_may_not_read_is_not_shown_a_conflict(boss: Api) -> None:
    """A writer without the right to read learns of a conflict, but not what is there."""
    boss.put("/v1/var/secret", {"Items": {"pin": "1234"}})
    rules = 'namespace "default" { variables { path "secret" { capabilities = ["write"] } } }'
    answer = _allowed(boss, rules).call("PUT", "/v1/var/secret?cas=0", {"Items": {"a": "b"}})

    assert answer.status == 409
    assert "Items" not in answer.body
    assert answer.body["ModifyIndex"] > 0


# -- tokens --------------------------------------------------------------------------------------------------------
def test_a_token_knows_itself(boss: Api) -> None:
    """Who bears a token may read it; lists show no secrets."""
    somebody = _bearer(boss, _policy(boss, "self", READ))
    own = somebody.get("/v1/acl/token/self")

    assert (own["SecretID"], own["Policies"]) == (somebody.token, ["self"])
    assert somebody.get(f"/v1/acl/token/{own['AccessorID']}") == own
    other = boss.get("/v1/acl/token/self")["AccessorID"]
    assert somebody.call("GET", f"/v1/acl/token/{other}").status == 403
    assert all("SecretID" not in row for row in boss.get("/v1/acl/tokens"))


def test_a_token_is_changed_and_deleted(boss: Api) -> None:
    """Other policies count from the next request on; a deleted token is none."""
    somebody = _bearer(boss, _policy(boss, "before", READ))
    token = somebody.get("/v1/acl/token/self")
    assert somebody.call("GET", "/v1/jobs").status == 200
    _policy(boss, "after", 'node { policy = "read" }')
    boss.put(f"/v1/acl/token/{token['AccessorID']}", token | {"Policies": ["after"]})
    assert (somebody.call("GET", "/v1/jobs").status, somebody.call("GET", "/v1/nodes").status) == (403, 200)
    boss.delete(f"/v1/acl/token/{token['AccessorID']}")
    assert somebody.call("GET", "/v1/nodes").status == 403


def test_a_token_expires(boss: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with a time to live is none when that is over."""
    _policy(boss, "short", READ)
    somebody = _bearer(boss, "short", ExpirationTTL="10m")
    assert somebody.call("GET", "/v1/jobs").status == 200
    monkeypatch.setattr("herdsman.devnomad.rpc.acl.now_ns", lambda: time.time_ns() + 601 * SECOND)
    assert somebody.call("GET", "/v1/jobs").status == 403


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"Type": "client"}, "client token missing policies or roles"),
        ({"Type": "management", "Policies": ["a"]}, "management token cannot be associated with policies or roles"),
        ({"Type": "boss"}, "token type must be client or management"),
        ({"Type": "management", "Name": "x" * 257}, "token name too long"),
        ({"Type": "management", "AccessorID": ID}, "must not be set"),
        ({"Type": "client", "Roles": [{"Name": "nobody"}]}, "cannot find role nobody"),
        ({"Type": "management", "ExpirationTTL": "soon"}, "invalid duration"),
        ({"Type": "management", "ExpirationTTL": "30s"}, "cannot be less than 1m0s in the future (was 30s)"),
        ({"Type": "management", "ExpirationTTL": "25h"}, "cannot be more than 24h0m0s in the future (was 25h0m0s)"),
        ({"Type": "management", "ExpirationTime": "2001-01-01T00:00:00Z"}, "cannot be less than 1m0s in the future"),
        ({"Type": "management", "ExpirationTime": "some day"}, 'parsing time "some day"'),
    ],
)
def test_tokens_that_cannot_be(boss: Api, body: object, text: str) -> None:
    """Tokens are checked."""
    answer = boss.call("PUT", "/v1/acl/token", body)

    assert answer.status == 400
    assert text in answer.body


def test_a_one_time_token_is_exchanged_once(boss: Api) -> None:
    """A one-time token gives the real one, and then no more."""
    one_time = boss.put("/v1/acl/token/onetime")["OneTimeToken"]["OneTimeSecretID"]
    anybody = Api(boss.port)
    assert (
        anybody.put("/v1/acl/token/onetime/exchange", {"OneTimeSecretID": one_time})["Token"]["SecretID"] == boss.token
    )
    assert anybody.call("PUT", "/v1/acl/token/onetime/exchange", {"OneTimeSecretID": one_time}).status == 403


# -- policies and roles --------------------------------------------------------------------------------------------
def test_policies_are_managed(boss: Api) -> None:
    """A policy is made, read, listed, and changed for all who have it."""
    somebody = _bearer(boss, _policy(boss, "managed", READ))
    assert boss.get("/v1/acl/policy/managed")["Rules"] == READ
    assert "managed" in [row["Name"] for row in boss.get("/v1/acl/policies")]
    assert [row["Name"] for row in somebody.get("/v1/acl/policies")] == ["managed"]
    assert somebody.get("/v1/acl/policy/managed")["Name"] == "managed"
    assert somebody.call("GET", "/v1/acl/policy/other").status == 403
    _policy(boss, "managed", 'node { policy = "read" }')
    assert somebody.call("GET", "/v1/jobs").status == 403


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ('namespace "default" { policy = "all" }', "Invalid namespace policy"),
        ('namespace "default" { capabilities = ["fly"] }', "Invalid namespace capability 'fly'"),
        ('node { policy = "list" }', "Invalid node policy"),
        ('people { policy = "read" }', "unknown rule"),
        ('namespace "default" {', "error parsing"),
        ('namespace "default" { policy = }', "error parsing"),
        ('{"namespace": ', "error parsing"),
        ("&", "illegal character"),
        ('namespace "a" { variables { path "x" { capabilities = ["fly"] } } }', "Invalid variable capability 'fly'"),
        ('namespace "a" { variables { path "x" {} } }', "missing capabilities"),
        ('node_pool { policy = "read" }', "Invalid node pool name"),
        ('host_volume "v" { policy = "some" }', "Invalid host volume"),
    ],
)
def test_rules_that_cannot_be(boss: Api, rules: str, text: str) -> None:
    """Rules are checked when they are written."""
    answer = boss.call("PUT", "/v1/acl/policy/wrong", {"Name": "wrong", "Rules": rules})

    assert answer.status == 400
    assert text in answer.body


@pytest.mark.parametrize(
    "rules",
    [
        '{"namespace": {"default": {"policy": "read"}}}',
        "namespace default { policy = read }",
        '# a comment\nnamespace "default" { /* another */ policy = "read" } // a third',
        'namespace "default" { capabilities = ["list-jobs", "read-job",] }',
        'namespace { policy = "read" }',
    ],
)
def test_rules_in_many_forms(boss: Api, rules: str) -> None:
    """HCL with comments, and JSON, say the same."""
    assert _allowed(boss, rules).call("GET", "/v1/jobs").status == 200


def test_roles_gather_policies(boss: Api) -> None:
    """A token with a role may what the role's policies say; the role can be changed and deleted."""
    _policy(boss, "reader", READ)
    _policy(boss, "noder", 'node { policy = "read" }')
    role = boss.put("/v1/acl/role", {"Name": "watcher", "Policies": [{"Name": "reader"}]})
    somebody = _bearer(boss, Roles=[{"Name": "watcher"}])
    assert somebody.call("GET", "/v1/jobs").status == 200
    boss.put(f"/v1/acl/role/{role['ID']}", role | {"Policies": [{"Name": "noder"}]})
    assert (somebody.call("GET", "/v1/jobs").status, somebody.call("GET", "/v1/nodes").status) == (403, 200)
    assert boss.get("/v1/acl/role/name/watcher")["Policies"] == [{"Name": "noder"}]
    assert [row["Name"] for row in somebody.get("/v1/acl/roles")] == ["watcher"]
    assert somebody.get(f"/v1/acl/role/{role['ID']}")["Name"] == "watcher"
    boss.delete(f"/v1/acl/role/{role['ID']}")
    assert somebody.call("GET", "/v1/nodes").status == 403
    assert boss.call("GET", f"/v1/acl/role/{role['ID']}").status == 404


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"Name": "r"}, "at least one policy"),
        ({"Name": "not ok", "Policies": [{"Name": "x"}]}, "invalid name 'not ok'"),
        ({"Name": "r", "Policies": [{"Name": "nowhere"}]}, "cannot find policy nowhere"),
    ],
)
def test_roles_that_cannot_be(boss: Api, body: object, text: str) -> None:
    """Roles are checked."""
    answer = boss.call("PUT", "/v1/acl/role", body)

    assert answer.status == 400
    assert text in answer.body
