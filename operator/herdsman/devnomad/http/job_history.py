"""A job's past: its versions and where they came from; going back, and marking one as good or by a name."""

from itertools import pairwise

from herdsman.devnomad.errors import BadRequest, NotFound
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, found
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import under
from herdsman.devnomad.structs.jobdiff import diff
from herdsman.devnomad.types import Row


async def versions(call: Call) -> Reply:
    """The versions of a job that are kept, newest first, with what changed between them where that is asked for."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()
    want_diffs = call.flag("diffs")

    def read() -> Value:
        rows = store.job_versions(key)
        if not rows:
            return Value(None, max(store.versions.index, 1))
        diffs = _diffs(call, rows) if want_diffs else None
        index = max(row["ModifyIndex"] for row in rows)
        return Value({"Versions": rows, "Diffs": diffs}, index)

    reply = found(await blocking(call, read, ("versions", *key)), "job versions not found")
    if isinstance(reply, Value):
        tail = {"Index": reply.index, "KnownLeader": True, "LastContact": 0, "NextToken": ""}
        reply.value = {**reply.value, **tail}
    return reply


def _diffs(call: Call, rows: list[Row]) -> list[Row] | None:
    compared = _compared(call, rows)
    if compared is not None:
        diffs = [diff(compared, row, contextual=True) for row in rows if row["Version"] != compared["Version"]]
    else:
        diffs = [diff(older, newer, contextual=True) for newer, older in pairwise(rows)]
    return diffs or None


def _compared(call: Call, rows: list[Row]) -> Row | None:
    """The version that all others are compared with, where one is named."""
    tag, number = call.param("diff_tag"), call.param("diff_version")
    if tag:
        tagged = next((row for row in rows if (row["VersionTag"] or {}).get("Name") == tag), None)
        if tagged is None:
            raise NotFound(f'tag "{tag}" not found')
        return tagged
    if number:
        wanted = call.number("diff_version")
        numbered = next((row for row in rows if row["Version"] == wanted), None)
        if numbered is None:
            raise NotFound(f"version {wanted} not found")
        return numbered
    return None


async def submission(call: Call) -> Reply:
    """Where a version came from."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()
    text = call.param("version")
    if not (text.isascii() and text.isdigit()):
        raise BadRequest("Unable to parse job submission version parameter")

    def read() -> Value:
        row = store.submissions.get((*key, int(text)))
        return Value(row, row["JobModifyIndex"] if row else max(store.submissions.index, 1))

    return found(await blocking(call, read, ("submissions", *key)), "job source not found")


def revert(call: Call) -> Reply:
    """Make an older version the next one."""
    call.may("submit-job")
    body = call.request("structs.JobRevertRequest")
    if not body.get("JobID"):
        raise BadRequest("JobID must be specified")
    if body["JobID"] != call.between:
        raise BadRequest("Job ID does not match")
    enforce = body.get("EnforcePriorVersion")
    answer = call.agent.versions.revert(call.job_key(), body.get("JobVersion") or 0, enforce=enforce)
    return Value(answer, answer["Index"])


def stable(call: Call) -> Reply:
    """Say of a version that it works."""
    call.may("submit-job")
    body = call.request("structs.JobStabilityRequest")
    if not body.get("JobID"):
        raise BadRequest("JobID must be specified")
    if body["JobID"] != call.between:
        raise BadRequest("Job ID does not match")
    answer = call.agent.versions.set_stability(
        call.job_key(), body.get("JobVersion") or 0, stable=bool(body.get("Stable"))
    )
    return Value(answer, answer["Index"])


def tag(call: Call) -> Reply:
    """Give a version a name."""
    call.may("submit-job")
    job_id, name = _tagged(call)
    body = call.request("api.TagVersionRequest")
    answer = call.agent.versions.tag((call.namespace, job_id), body.get("Version"), name, body.get("Description") or "")
    return Value(answer, answer["Index"])


def untag(call: Call) -> Reply:
    """Take a name away from a version."""
    call.may("submit-job")
    job_id, name = _tagged(call)
    answer = call.agent.versions.untag((call.namespace, job_id), name)
    return Value(answer, answer["Index"])


def _tagged(call: Call) -> tuple[str, str]:
    job_id, _, name = call.between.rpartition("/versions/")
    if not job_id:
        raise NotFound("")
    return job_id, name


ROUTES = (
    under("/v1/job/", "/versions", get=versions),
    under("/v1/job/", "/submission", get=submission),
    under("/v1/job/", "/revert", put=revert),
    under("/v1/job/", "/stable", put=stable),
    under("/v1/job/", "/tag", put=tag, delete=untag),
)
