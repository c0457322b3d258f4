"""Variables: check-and-set, limits, locks."""

from typing import Any

import pytest

from devnomad.support import Api
from herdsman.devnomad.rpc import variables


def _put(api: Api, path: str, query: str = "", **body: Any) -> Any:
    return api.put(f"/v1/var/{path}{query}", {"Items": {"a": "b"}} | body)


def test_a_variable_is_written_read_listed_deleted(nomad: Api) -> None:
    """What is written is read again; lists show all but the items; a deleted one is gone."""
    written = _put(nomad, "one/two", Items={"user": "me", "key": "geheim"})
    assert nomad.get("/v1/var/one/two") == written
    listed = nomad.get("/v1/vars?prefix=one/")
    assert listed == [{key: value for key, value in written.items() if key != "Items"}]
    answer = nomad.call("DELETE", "/v1/var/one/two")

    assert (answer.status, answer.body) == (204, "")
    assert nomad.call("GET", "/v1/var/one/two").status == 404
    assert nomad.call("DELETE", "/v1/var/one/two").status == 204


def test_a_write_keeps_when_it_began(nomad: Api) -> None:
    """A second write raises the modify index and leaves the create index."""
    first = _put(nomad, "again")
    second = _put(nomad, "again", Items={"a": "c"})

    assert second["CreateIndex"] == first["CreateIndex"]
    assert second["ModifyIndex"] > first["ModifyIndex"]
    assert second["Items"] == {"a": "c"}


def test_check_and_set(nomad: Api) -> None:
    """Only who knows the current index may write or delete; the others are shown what is there."""
    first = _put(nomad, "cas", "?cas=0")
    lost = nomad.call("PUT", "/v1/var/cas?cas=0", {"Items": {"a": "late"}})
    assert lost.status == 409
    assert lost.body["Items"] == {"a": "b"}
    _put(nomad, "cas", f"?cas={first['ModifyIndex']}", Items={"a": "c"})
    lost = nomad.call("DELETE", f"/v1/var/cas?cas={first['ModifyIndex']}")
    assert lost.status == 409
    assert lost.body["Items"] == {"a": "c"}
    index = nomad.get("/v1/var/cas")["ModifyIndex"]

    assert nomad.call("DELETE", f"/v1/var/cas?cas={index}").status == 204
    gone = nomad.call("PUT", f"/v1/var/cas?cas={index}", {"Items": {"a": "b"}})
    assert (gone.status, gone.body["ModifyIndex"]) == (409, 0)


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("ok", {}, 400, "variable missing required Items object"),
        ("ok", {"Items": {}}, 400, "variable missing required Items object"),
        ("ok", {"Items": {"a": 1}}, 400, "json: cannot unmarshal number into Go struct field"),
        ("ok", {"Items": {"a": {"b": "c"}}}, 400, "json: cannot unmarshal object into Go struct field"),
        ("not%20ok", {"Items": {"a": "b"}}, 400, 'invalid path "not ok"'),
        ("x" * 129, {"Items": {"a": "b"}}, 400, "invalid path"),
        ("nomad", {"Items": {"a": "b"}}, 400, "nomad/jobs"),
        ("nomad/other", {"Items": {"a": "b"}}, 400, "nomad/jobs"),
        ("big", {"Items": {"a": "x" * variables.MAX_SIZE}}, 400, "limited to 64KiB"),
        ("ok?namespace=nowhere", {"Items": {"a": "b"}}, 400, 'nonexistent namespace "nowhere"'),
        ("ok?cas=few", {"Items": {"a": "b"}}, 400, "can not parse cas"),
        ("ok?lock-acquire&lock-renew", {"Items": {"a": "b"}}, 400, "can only be one of"),
    ],
)
def test_what_cannot_be_written(nomad: Api, path: str, body: object, status: int, text: str) -> None:
    """Paths, items and sizes are checked."""
    answer = nomad.call("PUT", f"/v1/var/{path}", body)

    assert answer.status == status
    assert text in answer.body


@pytest.mark.parametrize("path", ["nomad/jobs", "nomad/jobs/x/y/z", "nomad/job-templates/a", "nomads", "a~b-c_d/E"])
def test_paths_that_may_be(nomad: Api, path: str) -> None:
    """Paths for jobs and templates may be below `nomad`."""
    _put(nomad, path)
    assert nomad.get(f"/v1/var/{path}")["Path"] == path


def test_just_not_too_large(nomad: Api) -> None:
    """Keys and values together may be 64 KiB."""
    _put(nomad, "full", Items={"k": "x" * (variables.MAX_SIZE - 1)})


def test_namespaces_are_apart(nomad: Api) -> None:
    """The same path in two namespaces is two variables; the request's namespace wins over the body's."""
    nomad.put("/v1/namespace", {"Name": "vars"})
    _put(nomad, "same", Items={"in": "default"})
    _put(nomad, "same", "?namespace=vars", Namespace="default", Items={"in": "vars"})

    assert nomad.get("/v1/var/same")["Items"] == {"in": "default"}
    assert nomad.get("/v1/var/same?namespace=vars")["Items"] == {"in": "vars"}
    both = [row["Namespace"] for row in nomad.get("/v1/vars?prefix=same&namespace=*")]
    assert both == ["default", "vars"]
    refused = nomad.call("DELETE", "/v1/namespace/vars")
    assert refused.status == 500
    nomad.delete("/v1/var/same?namespace=vars")
    nomad.delete("/v1/namespace/vars")


# -- locks ---------------------------------------------------------------------------------------------------------
def _acquire(api: Api, path: str, **lock: str) -> str:
    return str(_put(api, path, "?lock-acquire", Lock={"TTL": "10s"} | lock)["Lock"]["ID"])


def test_a_locked_variable_is_its_holders(nomad: Api) -> None:
    """Only the holder of a lock writes; nobody deletes; after the release anybody may."""
    lock_id = _acquire(nomad, "lock/own")
    assert nomad.get("/v1/var/lock/own")["Lock"]["ID"] == lock_id
    assert nomad.call("PUT", "/v1/var/lock/own", {"Items": {"a": "thief"}}).status == 409
    assert nomad.call("PUT", "/v1/var/lock/own?lock-acquire", {"Items": {"a": "thief"}}).status == 409
    assert nomad.call("DELETE", "/v1/var/lock/own").status == 409
    assert _put(nomad, "lock/own", Items={"a": "mine"}, Lock={"ID": lock_id})["Lock"]["ID"] == lock_id
    nomad.put("/v1/var/lock/own?lock-release", {"Lock": {"ID": lock_id}})

    assert "Lock" not in nomad.get("/v1/var/lock/own")
    assert nomad.get("/v1/var/lock/own")["Items"] == {"a": "mine"}
    assert nomad.call("DELETE", "/v1/var/lock/own").status == 204


def test_locking_makes_the_variable(nomad: Api) -> None:
    """A variable that is not there is made by the lock, with or without items; items that are there stay."""
    _put(nomad, "lock/kept", Items={"stay": "here"})
    assert nomad.put("/v1/var/lock/kept?lock-acquire", {"Lock": {}})["Items"] == {"stay": "here"}
    assert nomad.put("/v1/var/lock/new?lock-acquire", {"Lock": {}})["Lock"]["TTL"] == "15s"


@pytest.mark.parametrize(
    ("query", "body", "status", "text"),
    [
        ("lock-renew", {}, 400, "variable lock missing ID"),
        ("lock-renew", {"Lock": {"ID": "nobody"}}, 409, "attempting to modify locked variable"),
        ("lock-release", {"Lock": {"ID": "nobody"}}, 409, "attempting to modify locked variable"),
        ("lock-release", {"Lock": {"ID": "x"}, "Items": {"a": "b"}}, 400, "with items"),
        ("lock-acquire", {"Lock": {"TTL": "1s"}}, 400, "TTL must be between"),
        ("lock-acquire", {"Lock": {"TTL": "48h"}}, 400, "TTL must be between"),
        ("lock-acquire", {"Lock": {"TTL": "soon"}}, 400, "invalid duration"),
    ],
)
def test_what_cannot_be_done_with_a_lock(nomad: Api, query: str, body: object, status: int, text: str) -> None:
    """Locks are checked: who holds them, and for how long."""
    path = "lock/checked" if query != "lock-acquire" else "lock/free"
    if query != "lock-acquire" and "Lock" not in (nomad.call("GET", f"/v1/var/{path}").body or ""):
        _acquire(nomad, path)
    answer = nomad.call("PUT", f"/v1/var/{path}?{query}", body)

    assert answer.status == status
    assert text in answer.body


def test_what_is_not_locked_cannot_be_renewed(nomad: Api) -> None:
    """Renewing or releasing where there is no lock is a conflict; where there is no variable, not found."""
    _put(nomad, "lock/none")
    assert nomad.call("PUT", "/v1/var/lock/none?lock-renew", {"Lock": {"ID": "x"}}).status == 409
    assert nomad.call("PUT", "/v1/var/lock/nowhere?lock-renew", {"Lock": {"ID": "x"}}).status == 404


def test_a_lock_runs_out(nomad: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is not renewed ends by itself; for its delay nobody gets it, then anybody."""
    monkeypatch.setattr(variables, "_SHORTEST", 1)
    lock_id = _acquire(nomad, "lock/short", TTL="300ms", LockDelay="400ms")
    assert nomad.put("/v1/var/lock/short?lock-renew", {"Lock": {"ID": lock_id}})["Lock"]["ID"] == lock_id
    nomad.wait_for("/v1/var/lock/short", lambda row: "Lock" not in row)
    early = nomad.call("PUT", "/v1/var/lock/short?lock-acquire", {"Items": {"a": "b"}, "Lock": {}})
    assert early.status == 409
    assert nomad.call("PUT", "/v1/var/lock/short?lock-renew", {"Lock": {"ID": lock_id}}).status == 409

    def acquire() -> bool:
        return nomad.call("PUT", "/v1/var/lock/short?lock-acquire", {"Items": {"a": "b"}, "Lock": {}}).status == 200

    nomad.wait(acquire)
