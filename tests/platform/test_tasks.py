"""Single tasks on a real HTTP Nomad: what they say, in whatever pieces it comes, and what cannot be had."""

import base64
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.adapters.nomad.config import NomadConfig
from herdsman.adapters.nomad.placements import placements
from herdsman.adapters.nomad.tasks import NomadTasks, _frames
from herdsman.errors import NomadError, Refused, Unavailable
from herdsman.model.keys import job_key
from herdsman.model.placements import PortAddress, TaskState
from nomads import running_nomad


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Nomad without jobs."""
    folder: Path = tmp_path_factory.mktemp("nomad")
    with running_nomad(folder) as found:
        yield found


@given(said=st.lists(st.binary(max_size=40), max_size=6), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_frames_add_up_however_they_are_cut(said: list[bytes], cuts: list[int]) -> None:
    """A frame may come in pieces, and several in one; heartbeats between them say nothing."""
    frames = [
        orjson.dumps({"Offset": n, "Data": base64.b64encode(d).decode(), "File": "alloc/logs/main.stdout.0"}) + b"{}"
        for n, d in enumerate(said)
    ]
    stream, found, rest = b"".join(frames), b"", b""
    edges = sorted({0, len(stream), *(min(c, len(stream)) for c in cuts)})
    for start, end in pairwise(edges):
        whole, rest = _frames(rest + stream[start:end])
        found += b"".join(base64.b64decode(frame.get("Data") or b"") for frame in whole)

    assert (found, rest) == (b"".join(said), b"")


def test_what_is_not_there_is_refused_at_once(address: str) -> None:
    """Before anything is read: a status can still be said."""
    tasks = NomadTasks(NomadConfig(address=address))
    nobody = "00000000-0000-4000-8000-000000000000"

    with pytest.raises(Refused):
        tasks.logs(nobody, "main", stream="stdout", follow=False)
    with pytest.raises(NomadError):
        tasks.logs("../../jobs", "main", stream="stdout", follow=False)
    with pytest.raises(NomadError):
        tasks.restart(nobody)


def test_a_nomad_that_is_away_is_away() -> None:
    """In words, and as what passes."""
    tasks = NomadTasks(NomadConfig(address="http://127.0.0.1:9"))

    with pytest.raises(Unavailable):
        tasks.restart("x")


def test_an_allocation_is_read_as_nomad_lists_it() -> None:
    """Tasks, ports and what each task got; whatever is missing is nothing."""
    raw = {
        "ID": "a1",
        "Namespace": "lab",
        "JobID": "d",
        "TaskGroup": "g",
        "NodeID": "n1",
        "ClientStatus": "failed",
        "DesiredStatus": "run",
        "JobVersion": 2,
        "CreateTime": 5,
        "TaskStates": {
            "main": {
                "State": "dead",
                "Failed": True,
                "Events": [{"Type": "Terminated", "Time": 1, "ExitCode": 3, "DisplayMessage": "Exit Code: 3"}],
            },
            "side": None,
        },
        "AllocatedResources": {
            "Tasks": {"main": {"Cpu": {"CpuShares": 2500}}},
            "Shared": {"Ports": [{"Label": "ui", "Value": 2000, "HostIP": "10.0.0.1"}]},
        },
    }
    bare = {"ID": "b", "Namespace": "lab", "JobID": "d", "ClientStatus": "pending", "DesiredStatus": "run"}
    found, empty = placements([raw, bare])

    assert (found.job, found.version, found.created) == (job_key("lab", "d"), 2, 5)
    assert found.tasks == {"main": TaskState("dead", True, "Exit Code: 3"), "side": TaskState("pending")}
    assert (found.cpu_mhz, found.ports) == ({"main": 2500}, {"ui": PortAddress("10.0.0.1", 2000)})
    assert "Exit Code: 3" in found.last_event
    assert (empty.tasks, empty.ports, placements(None)) == ({}, {}, [])
