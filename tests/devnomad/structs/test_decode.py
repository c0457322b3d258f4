"""A request's job is type-checked the way Go's JSON decoder does it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnomad.structs.jobs import job, made_up_jobs, task, with_group, with_task
from herdsman.devnomad.structs.decode import DecodeError, decode_job

WRONG = {
    "a word for a number": (job(Priority="high"), "string", "Job.Job.Priority of type int"),
    "a fraction for a whole number": (job(Priority=1.5), "number 1.5", "Job.Job.Priority of type int"),
    "too big a number": (job(Priority=2**64), f"number {2**64}", "Job.Job.Priority of type int"),
    "a number for a word": (job(Name=5), "number", "Job.Job.Name of type string"),
    "a flag for a number": (job(Priority=True), "bool", "Job.Job.Priority of type int"),
    "a word for a list": (job(Datacenters="dc1"), "string", "Job.Job.Datacenters of type []string"),
    "a number in a list": (job(Datacenters=[1]), "number", "Job.Job.Datacenters of type string"),
    "a number in a map": (job(Meta={"a": 1}), "number", "Job.Job.Meta of type string"),
    "a list for a block": (job(Update=[]), "array", "Job.Job.Update of type api.UpdateStrategy"),
    "a block for a list": (job(TaskGroups={}), "object", "Job.Job.TaskGroups of type []*api.TaskGroup"),
    "a word among groups": (job(TaskGroups=["g"]), "string", "Job.Job.TaskGroups of type api.TaskGroup"),
    "inside a group": (with_group(Count="3"), "string", "TaskGroup.Job.TaskGroups.Count of type int"),
    "inside a task": (with_task(Leader=1), "number", "Task.Job.TaskGroups.Tasks.Leader of type bool"),
    "a duration as text": (
        with_task(KillTimeout="30s"),
        "string",
        "Task.Job.TaskGroups.Tasks.KillTimeout of type time.Duration",
    ),
    "a small number too big": (
        job(Affinities=[{"Weight": 200}]),
        "number 200",
        "Affinity.Job.Affinities.Weight of type int8",
    ),
    "a list of lists": (
        with_group(Services=[{"Checks": [{"Header": {"X": "1"}}]}]),
        "string",
        "ServiceCheck.Job.TaskGroups.Services.Checks.Header of type []string",
    ),
    "a word for a volume": (
        with_group(Volumes={"v": "host"}),
        "string",
        "TaskGroup.Job.TaskGroups.Volumes of type api.VolumeRequest",
    ),
    "a list for a free-form map": (
        with_task(Config=[]),
        "array",
        "Task.Job.TaskGroups.Tasks.Config of type map[string]interface {}",
    ),
}


@pytest.mark.parametrize(("raw", "kind", "where"), WRONG.values(), ids=WRONG)
def test_a_value_of_a_wrong_type_is_refused_in_gos_words(raw: object, kind: str, where: str) -> None:
    """The error names the kind of the value, the field's path and the Go type."""
    with pytest.raises(DecodeError) as caught:
        decode_job(raw)
    assert str(caught.value) == f"json: cannot unmarshal {kind} into Go struct field {where}"


@pytest.mark.parametrize("request_type", ["JobRegisterRequest", "JobPlanRequest"])
def test_a_job_that_is_no_object_is_the_requests_fault(request_type: str) -> None:
    """Where the job itself has the wrong type, the request's field is named."""
    with pytest.raises(DecodeError) as caught:
        decode_job("x", request=request_type)
    assert str(caught.value) == f"json: cannot unmarshal string into Go struct field {request_type}.Job of type api.Job"


def test_the_first_wrong_value_is_named() -> None:
    """Of several wrong values the one that comes first in the document is named."""
    with pytest.raises(DecodeError, match=r"field Job\.Job\.Type of type string"):
        decode_job({"ID": "j", "Type": 1, "Priority": "x"})


def test_keys_are_found_in_any_case_and_unknown_ones_are_dropped() -> None:
    """Key names follow Go's rule; what no block knows is left out without a word."""
    raw = {"id": "j", "TASKGROUPS": [{"name": "g", "bogus": 1, "Tasks": [task(Nonsense={})]}], "Extra": True}
    assert decode_job(raw) == {"ID": "j", "TaskGroups": [{"Name": "g", "Tasks": [task()]}]}


def test_null_counts_as_unsaid() -> None:
    """A null leaves its key out; in a list of texts it is the empty text, in a list of blocks it is nothing."""
    raw = {
        "ID": "j",
        "Name": None,
        "Datacenters": ["dc1", None],
        "TaskGroups": [None, {"Name": "g"}],
        "Meta": {"a": None},
    }
    assert decode_job(raw) == {
        "ID": "j",
        "Datacenters": ["dc1", ""],
        "TaskGroups": [{"Name": "g"}],
        "Meta": {"a": ""},
    }


def test_what_only_the_server_knows_cannot_be_sent() -> None:
    """A service's namespace is the server's to say."""
    assert decode_job(with_group(Services=[{"Name": "s", "Namespace": "x"}]))["TaskGroups"][0]["Services"] == [
        {"Name": "s"}
    ]


@pytest.mark.parametrize(("text", "place"), [("aGk", 0), ("aGkaa", 4), ("a*k=", 1), ("====", 0)])
def test_a_payload_must_be_base64(text: str, place: int) -> None:
    """Bytes travel as base64; the error says where it breaks."""
    with pytest.raises(DecodeError, match=f"illegal base64 data at input byte {place}"):
        decode_job(job(Payload=text))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ID", "TaskGroups", "Tasks", "Count", "Meta", "Config", "Networks", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def _told(raw: object) -> str:
    """The job, or what is wrong with it."""
    try:
        return json.dumps(decode_job(raw))
    except DecodeError as e:
        return str(e)


@given(_JSON)
def test_any_json_is_either_a_job_or_an_error(raw: object) -> None:
    """No JSON value brings the decoder down."""
    assert _told(raw).startswith(("{", "json: cannot unmarshal", "illegal base64"))


@given(made_up_jobs())
def test_decoding_keeps_every_known_value(raw: dict[str, object]) -> None:
    """A job of the right types comes through as it is, nulls apart, and once more changes nothing."""
    found = decode_job(raw)
    assert decode_job(found) == found
    assert found.keys() == {key for key, value in raw.items() if value is not None}
