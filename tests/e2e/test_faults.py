"""One fault at every call in turn, between a whole operator and a real HTTP Nomad: it converges, nothing twice."""

import json
from collections import Counter
from pathlib import Path

import pytest

from clusters import Cluster, document, operating, until
from faults import CutAfter, CutBefore, CutMidway, Fault, FaultProxy, Replay, Silence, Status
from herdsman.model.keys import job_key

CALLS = {
    "list": ("GET", "/v1/jobs"),
    "read": ("GET", "/v1/job/web"),
    "submission": ("GET", "/v1/job/web/submission"),
    "plan": ("*", "/v1/job/web/plan"),
    "register": ("POST", "/v1/jobs"),
    "deployments": ("GET", "/v1/job/web/deployments"),
    "stop and purge": ("*", "/v1/job/gone"),
    "claim": ("*", "/v1/var/herdsman/fleets/e2e"),
    "events": ("GET", "/v1/event/stream"),
}
FAULTS: dict[str, Fault] = {
    "HTTP 500": Status(500, "rpc error: something broke"),
    "timeout": Silence(),
    "timeout, but done": Silence(forward=True),
    "cut before": CutBefore(),
    "cut after": CutAfter(),
    "cut midway": CutMidway(),
    "stale answer": Replay(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_one_fault_at_one_call(call: tuple[str, str], fault: Fault, cluster: Cluster, specs: Path) -> None:
    """A change, a drift, a creation and a removal are due while one call fails; each happens once."""
    for name in ("web", "db", "gone"):
        (specs / f"{name}.yaml").write_text(document(name))
    with FaultProxy(cluster.address) as proxy:
        with operating(specs, proxy.address) as wired:
            until(lambda: wired.operator.overview().ready_count == 3)
        versions = {name: cluster.job(name)["Version"] for name in ("web", "db")}

        (specs / "web.yaml").write_text(document("web", Priority=61))
        (specs / "new.yaml").write_text(document("new"))
        (specs / "gone.yaml").unlink()
        cluster.edit("db", lambda body: body.update(Priority=70))
        before = len(proxy.calls)
        proxy.on(*call, fault)
        with operating(specs, proxy.address) as wired:
            until(lambda: cluster.job("web")["Priority"] == 61)
            until(lambda: cluster.job("db")["Priority"] == 50)
            until(lambda: cluster.job("new") is not None)
            until(lambda: cluster.job("gone") is None)
            until(lambda: wired.operator.overview().ready_count == 3 and wired.operator.overview().total == 3)
            status = wired.store.status(job_key("default", "web"))
            assert status is not None
            assert status.version == cluster.job("web")["Version"]
        proxy.clear()
        wrote = Counter(
            json.loads(c.body)["Job"]["ID"]
            for c in proxy.calls[before:]
            if (c.method, c.path) == ("POST", "/v1/jobs") and c.fault != "Replay"  # which Nomad never heard of
            if c.status == 200 or c.fault == "CutAfter"
        )

    assert cluster.job("web")["Version"] == versions["web"] + 1
    assert cluster.job("db")["Version"] == versions["db"] + 2, "one by somebody else, one that puts it right"
    assert cluster.job("new")["Version"] == 0
    assert max(wrote.values()) == 1, f"registered more than once: {wrote}"
