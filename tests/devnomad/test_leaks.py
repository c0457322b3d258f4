"""What comes and goes leaves nothing: no rows, no open files, no objects, however often."""

import gc
import http.client
from pathlib import Path

from devnomad.support import Api, group, job, serving

ROUNDS = 5
AT_ONCE = 40
FEW = 8  # what other tests of this process open meanwhile
SLACK = 4_000  # what the last events hold differs from time to time; a job that stays holds more than thirty


def test_jobs_that_were_purged_leave_nothing() -> None:
    """After many registers and purges the server holds as much as after a few."""
    with serving() as api:
        _rounds(api)
        files, objects = _files(), _objects()
        for _ in range(ROUNDS):
            _rounds(api)

        api.wait(lambda: _files() <= files + FEW)
        assert _objects() < objects + SLACK
        for path in ("jobs?namespace=*", "allocations?namespace=*", "evaluations", "deployments", "services"):
            assert api.get(f"/v1/{path}") == []


def _rounds(api: Api) -> None:
    """Register many jobs, and forget them."""
    port = [{"DynamicPorts": [{"Label": "a"}]}]
    offer = [{"Name": "s", "PortLabel": "a", "Provider": "nomad"}]
    for number in range(AT_ONCE):
        api.register(job(f"leak-{number}", group(Networks=port, Services=offer)))
    api.wait_for("/v1/jobs", lambda found: {each["Status"] for each in found} == {"running"})
    for number in range(AT_ONCE):
        api.purge(f"leak-{number}")
    api.wait_for("/v1/allocations", lambda found: all(each["ClientStatus"] == "complete" for each in found))
    api.put("/v1/system/gc")
    api.wait_for("/v1/evaluations", lambda found: found == [])


def _files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_callers_who_leave_are_forgotten() -> None:
    """A stream or a held query whose caller hung up is closed at once."""
    with serving() as api:
        api.register(job("watched", group(count=0)))
        before = _files()
        paths = ("/v1/event/stream", "/v1/job/watched?index=100000&wait=5m", "/v1/agent/monitor")
        held = [_open(api, path) for path in paths * 5]
        assert _files() > before
        for connection in held:
            connection.close()
        api.wait(lambda: _files() <= before)


def _open(api: Api, path: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    connection.request("GET", path)
    return connection
